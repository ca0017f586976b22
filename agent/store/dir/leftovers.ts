import type { Leftover } from '../store.ts';
import { listTrash } from './discard.ts';
import { listStale, removeStale, staleAfterMilliseconds } from './durable-file.ts';
import { makeBelow, openBelow, temporaryPath } from './layout.ts';
import { listOrphanLayouts, removeOrphanLayout } from './reference-files.ts';

/** A writer that lives touches its files more often than this, whatever the caller thinks of as old. */
const bounded = (before: number, now: number): number =>
  Math.min(before, now - staleAfterMilliseconds);

/** Temporary files of dead writers, layouts without a reference, and all that is in the trash. Times: wall clock, milliseconds. */
export async function* listLeftovers(
  root: string,
  before: number,
  now: number,
): AsyncGenerator<Leftover> {
  const bound = bounded(before, now);
  await using temporary = await openBelow(root, temporaryPath);
  if (temporary !== undefined) {
    for await (const file of listStale(temporary, bound)) {
      yield { ...file, name: [...temporaryPath, file.name].join('/') };
    }
  }
  for await (const { key: _, ...layout } of listOrphanLayouts(root, bound)) yield layout;
  yield* listTrash(root);
}

/** Removes the same, the trash excepted. */
export async function removeLeftovers(root: string, before: number, now: number): Promise<void> {
  const bound = bounded(before, now);
  await using temporary = await makeBelow(root, temporaryPath);
  await removeStale(temporary, bound);
  for await (const { key } of listOrphanLayouts(root, bound)) await removeOrphanLayout(root, key);
}
