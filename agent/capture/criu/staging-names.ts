import { readdir, stat } from 'node:fs/promises';
import type { Written } from './freeze-watch.ts';

/** Names inside the staging directory. */
export const stagingNames = {
  images: 'criu',
  rootfs: 'rootfs.tar',
  volumes: 'volumes',
  sharedMemory: 'volumes/dev-shm.tar',
  holdScript: 'hold',
  stoppedBefore: 'stopped-before.json',
  output: 'criu.out',
} as const;

/** Images that hold memory of the source. */
const memoryImage = /^pages-.*\.img$/;

/** How much a dump has written into its staging directory so far. */
export async function measureStaging(stagingDirectory: string): Promise<Written> {
  const images = `${stagingDirectory}/${stagingNames.images}`;
  const names = await readdir(images);
  let bytes = 0;
  let activity = 0;
  for (const name of names) {
    const size = await sizeOf(`${images}/${name}`);
    activity += size;
    if (memoryImage.test(name)) bytes += size;
  }
  for (const name of [stagingNames.rootfs, stagingNames.sharedMemory]) {
    bytes += await sizeOf(`${stagingDirectory}/${name}`);
  }
  return { bytes, activity };
}

/** CRIU makes and removes files as it goes. */
async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}
