import { sleep } from '../../core/clock.ts';
import { isFailure } from '../../core/failure.ts';
import type { HeldLease } from '../../runtime/held-lease.ts';
import type { OrderDeps } from './deps.ts';

/** Tries at the store before its failure becomes the order's: with the pauses below about eight seconds of trouble are outlived. */
const storeTries = 5;
const firstPauseMilliseconds = 500;
const confirmPauseMilliseconds = 2000;

/** Calls again while the store says `retry`, with growing pauses, a bounded number of times. */
export async function withStoreRetries<T>(
  deps: Pick<OrderDeps, 'clock' | 'log'>,
  stop: AbortSignal,
  call: (tries: number) => Promise<T>,
): Promise<T> {
  for (let tries = 0; ; tries += 1) {
    try {
      return await call(tries);
    } catch (error) {
      stop.throwIfAborted();
      if (!isFailure(error, 'retry') || tries + 1 >= storeTries) throw error;
      deps.log.warn({ error: error.message, reason: error.reason }, 'the store failed, again soon');
      await sleep(deps.clock, firstPauseMilliseconds * 2 ** tries, stop);
    }
  }
}

/** Waits until the API server says that the lease is still ours, however long it is away. Rejects with `fenced`, or the stop's reason. */
export async function confirmLease(
  deps: Pick<OrderDeps, 'clock' | 'log'>,
  lease: HeldLease,
  stop: AbortSignal,
): Promise<void> {
  for (;;) {
    try {
      return await lease.confirm(stop);
    } catch (error) {
      stop.throwIfAborted();
      if (isFailure(error, 'fenced')) throw error;
      deps.log.warn({ error: String(error) }, 'the lease could not be confirmed, again soon');
      await sleep(deps.clock, confirmPauseMilliseconds, stop);
    }
  }
}
