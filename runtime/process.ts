import { errorText } from '../core/failure.ts';
import type { Log } from './log.ts';

const signals = ['SIGTERM', 'SIGINT'] as const;
type Signal = (typeof signals)[number];

/** What tells a process to stop; `process` itself outside tests. */
export type SignalSource = {
  on(signal: Signal, listener: (signal: Signal) => void): unknown;
  exit(code: number): unknown;
};

/** What a shell reports for a process that a signal ended. */
const exitCodes: Readonly<Record<Signal, number>> = { SIGTERM: 143, SIGINT: 130 };

/**
 * Aborts on the first SIGTERM or SIGINT; the next one of either ends the process at once. The listener stays: execa's clean-up sends a signal
 * again when it finds itself the only one who listens, and that would be the second.
 */
export function stopSignal(source: SignalSource, log: Log): AbortSignal {
  const controller = new AbortController();
  const stop = (signal: Signal): void => {
    if (controller.signal.aborted) {
      log.warn({ signal }, 'told to stop a second time, ending at once');
      source.exit(exitCodes[signal]);
      return;
    }
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
