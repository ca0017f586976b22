import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { withConfined } from '../../proc/confined-files.ts';
import type { Room } from '../facts.ts';
import { sharedMemoryPath } from './mount-plan.ts';

/** Free bytes of each directory, there or still to be made; two on one file system must both fit into what is free. */
export async function findRoom(
  places: readonly { readonly what: string; readonly directory: string }[],
): Promise<readonly Room[]> {
  const seen = await Promise.all(
    places.map(async ({ what, directory }) => {
      const there = await nearest(directory);
      if (there === undefined) return undefined;
      const { bavail, bsize } = await statfs(there);
      const status = await stat(there);
      return { what, directory, freeBytes: bavail * bsize, device: status.dev };
    }),
  );
  const found = seen.filter((place) => place !== undefined);
  return found.map(({ what, directory, freeBytes, device }) => ({
    what,
    directory,
    freeBytes,
    copies: found.filter((other) => other.device === device).length,
  }));
}

/** The directory itself, or the first above it that is there: it will be made on the same file system. */
async function nearest(directory: string): Promise<string | undefined> {
  for (let there = directory; ; there = dirname(there)) {
    if (await stat(there).catch(() => undefined)) return there;
    if (there === dirname(there)) return undefined;
  }
}

/** Bytes in use of the container's /dev/shm; 0 where it has none. */
export async function sharedMemoryBytes(procRoot: string, pid: number): Promise<number> {
  const directory = {
    base: `${procRoot}/${pid}/root`,
    below: sharedMemoryPath.split('/').slice(1),
  };
  return withConfined(directory, async (handle) => {
    const { blocks, bfree, bsize } = await statfs(`/proc/self/fd/${handle.fd}`);
    return (blocks - bfree) * bsize;
  }).catch(() => 0);
}
