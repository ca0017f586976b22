import type { Readable, Writable } from 'node:stream';

/** Where a command reads and writes; the process' own outside tests. Data goes to `output`, everything said about it to `errors`. */
export type Terminal = {
  readonly input: Readable;
  readonly output: Writable;
  readonly errors: Writable;
  /** True where somebody watches `errors`: only then is progress drawn. */
  readonly watched: boolean;
  /** True where somebody can answer: `input` and `errors` are a terminal. */
  readonly answers: boolean;
  /** Width of the terminal behind `errors`. */
  readonly columns: () => number;
  readonly environment: Readonly<Record<string, string | undefined>>;
  /** Wall clock, milliseconds. */
  readonly now: () => number;
  /** Aborts on Ctrl-C. */
  readonly signal: AbortSignal;
};

/**
 * What the program ends with. `failed`: it was done and did not succeed, or is damaged. `refused`: a right is missing. `timedOut`: no answer,
 * or no end within --timeout. `blocked`: what was asked (`explain`) has the answer no. `interrupted`: Ctrl-C.
 */
export const exitCodes = {
  done: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  refused: 4,
  timedOut: 5,
  blocked: 6,
  interrupted: 130,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** Under each command's help. */
export const exitCodesText =
  'Exit codes: 0 done, 1 failed, 2 called wrongly, 3 not found, 4 a right is missing, 5 timed out, 130 interrupted.';
