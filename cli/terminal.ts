import type { Readable, Writable } from 'node:stream';

/** Where a command reads and writes; the process' own outside tests. */
export type Terminal = {
  readonly input: Readable;
  readonly output: Writable;
  readonly errors: Writable;
  /** True where somebody watches `errors`: only then is progress shown. */
  readonly watched: boolean;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Wall clock, milliseconds. */
  readonly now: () => number;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
};

/** What the program ends with: done; something failed or is damaged; it was called wrongly. `explain` has a no of its own and no `usage`. */
export const exitCodes = { done: 0, failed: 1, usage: 2, blocked: 2 } as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];
