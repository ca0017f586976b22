import { errorText } from '../core/failure.ts';
import type { Log } from './log.ts';

const signals = ['SIGTERM', 'SIGINT'] as const;
type Signal = (typeof signals)[number];

/** What tells a process to stop; `process` itself outside tests. */
export type SignalSource = {
  on(signal: Signal, listener: (signal: Signal) => void): unknown;
  removeListener(signal: Signal, listener: (signal: Signal) => void): unknown;
};

/** Aborts on the first SIGTERM or SIGINT. The next one of either ends the process at once, because their default action is back. */
export function stopSignal(source: SignalSource, log: Log): AbortSignal {
  const controller = new AbortController();
  const stop = (signal: Signal): void => {
    for (const each of signals) source.removeListener(each, stop);
    log.info({ signal }, 'stopping');
    controller.abort(new Error(`received ${signal}`));
  };
  for (const each of signals) source.on(each, stop);
  return controller.signal;
}

/**
 * Runs a program to its end and ends the process: exit code 0 when it resolves, 1 with one log line when it throws. It exits rather than
 * waits for what is still open, which would hold a stopped pod until its grace period is over; the log is written synchronously.
 */
export async function runProgram(log: Log, program: () => Promise<void>): Promise<void> {
  try {
    await program();
    process.exit(0);
  } catch (error) {
    const stack = error instanceof Error ? error.stack : undefined;
    log.error({ error: errorText(error), stack }, 'ended by an error');
    process.exit(1);
  }
}
