/**
 * Works through `items` in order with at most `limit` at a time; `slot` (0 up to `limit` - 1) is free for one buffer each. After the first failure, or
 * when the signal aborts, nothing new begins, what runs sees its signal abort, and the call rejects once all of it has ended.
 */
export async function inParallel<T>(
  limit: number,
  items: Iterable<T> | AsyncIterable<T>,
  signal: AbortSignal,
  work: (item: T, slot: number, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const both = AbortSignal.any([signal, stop.signal]);
  const rest = (async function* () {
    yield* items;
  })();
  const failures: unknown[] = [];
  const worker = async (slot: number): Promise<void> => {
    try {
      for (;;) {
        both.throwIfAborted();
        const next = await rest.next();
        if (next.done === true) return;
        await work(next.value, slot, both);
      }
    } catch (error) {
      failures.push(error);
      stop.abort(error);
    }
  };
  await Promise.all(Array.from({ length: limit }, (_, slot) => worker(slot)));
  await rest.return();
  signal.throwIfAborted();
  if (failures.length > 0) throw failures[0];
}

/**
 * Does several things at once, as Promise.all does, but rejects only when all of them have ended: none may still use what the caller closes then. After
 * the first failure the others see their signal abort.
 */
export async function together<T extends readonly unknown[] | []>(
  signal: AbortSignal,
  begin: (signal: AbortSignal) => T,
): Promise<{ -readonly [Index in keyof T]: Awaited<T[Index]> }> {
  const stop = new AbortController();
  const running = begin(AbortSignal.any([signal, stop.signal]));
  try {
    return await Promise.all(running);
  } catch (error) {
    stop.abort(error);
    await Promise.allSettled(running);
    signal.throwIfAborted();
    throw error;
  }
}
