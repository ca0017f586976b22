import { setTimeout as delay } from 'node:timers/promises';

const pollMs = 50;

/**
 * Calls `probe` until it returns something other than undefined, and returns that. The one place of
 * the bed that lets time pass. Throws `what` after the deadline, with the last error of the probe.
 */
export async function until<T>(
  what: () => string,
  probe: () => Promise<T | undefined>,
  deadlineMs: number,
  everyMs: number = pollMs,
): Promise<T> {
  const end = performance.now() + deadlineMs;
  let last: unknown;
  for (;;) {
    try {
      const found = await probe();
      if (found !== undefined) return found;
      last = undefined;
    } catch (error) {
      last = error;
    }
    if (performance.now() >= end) {
      const why =
        last === undefined ? '' : `: ${last instanceof Error ? last.message : String(last)}`;
      throw new Error(`waited ${deadlineMs} ms in vain for ${what()}${why}`, { cause: last });
    }
    await delay(everyMs);
  }
}
