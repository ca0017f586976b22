import type { Clock } from '../core/clock.ts';
import { Failure } from '../core/failure.ts';

/**
 * A call that may take `milliseconds`: its signal aborts with a `retry` failure 'Timeout' after that, or with the outer signal's reason.
 * The call is not waited for beyond that, so one that ignores its signal cannot hold the caller up; the outcome of a write is then unknown.
 */
export async function callWithin<T>(
  clock: Clock,
  milliseconds: number,
  outer: AbortSignal,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  outer.throwIfAborted();
  const controller = new AbortController();
  const onOuter = (): void => controller.abort(outer.reason);
  outer.addEventListener('abort', onOuter, { once: true });
  const cancel = clock.after(milliseconds, () => {
    controller.abort(new Failure('retry', 'Timeout', `no answer within ${milliseconds} ms`));
  });
  const aborted = new Promise<never>((_resolve, reject) => {
    const fail = (): void => reject(controller.signal.reason);
    controller.signal.addEventListener('abort', fail, { once: true });
  });
  try {
    return await Promise.race([call(controller.signal), aborted]);
  } finally {
    cancel();
    outer.removeEventListener('abort', onOuter);
  }
}
