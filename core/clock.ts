/** Time as an input. Durations are measured on the monotonic clock, the wall clock is for display and API timestamps. */
export interface Clock {
  /** Wall clock, milliseconds since the epoch. */
  wallMilliseconds(): number;
  /** Monotonic clock, milliseconds from an arbitrary start. */
  monotonicMilliseconds(): number;
  /** Calls back after `milliseconds`; the function returned cancels it. */
  after(milliseconds: number, call: () => void): () => void;
}

/** The machine's own clocks. */
export const systemClock: Clock = {
  wallMilliseconds: () => Date.now(),
  monotonicMilliseconds: () => performance.now(),
  after: (milliseconds, call) => {
    const timer = setTimeout(call, milliseconds);
    return () => clearTimeout(timer);
  },
};

/** Resolves after `milliseconds`, rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      cancel();
      reject(signal.reason);
    };
    const cancel = clock.after(milliseconds, () => {
      signal.removeEventListener('abort', onAbort);
      resolve();
    });
    signal.addEventListener('abort', onAbort, { once: true });
  });
}
