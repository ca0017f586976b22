import { stat, statfs } from 'node:fs/promises';
import { withConfined } from '../../proc/confined-files.ts';
import type { Room } from '../facts.ts';
import { sharedMemoryPath } from './mount-plan.ts';

/** Free bytes of each directory that is there; two on one file system must both fit into what is free. */
export async function findRoom(
  places: readonly { readonly what: string; readonly directory: string }[],
): Promise<readonly Room[]> {
  const seen = await Promise.all(
    places.map(async ({ what, directory }) => {
      // A missing directory is not preflight's to report: whoever writes there says it better.
      const status = await stat(directory).catch(() => undefined);
      if (status === undefined) return undefined;
      const { bavail, bsize } = await statfs(directory);
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
