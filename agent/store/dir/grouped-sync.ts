/**
 * Shares one slow sync among all who ask at the same time: a caller that arrives while a sync runs waits for the next one, because the running
 * one may have looked before the caller's change. What the function returned resolves after a sync that began after the call.
 */
export function groupedSync(sync: () => Promise<void>): () => Promise<void> {
  let running: Promise<void> | undefined;
  let following: Promise<void> | undefined;
  const start = (): Promise<void> => {
    const own = sync().finally(() => {
      if (running === own) running = undefined;
    });
    running = own;
    return own;
  };
  return () => {
    if (running === undefined) return start();
    following ??= running
      .catch(() => undefined) // Told to those who waited for it; the next sync is a new try.
      .then(() => {
        following = undefined;
        return start();
      });
    return following;
  };
}
