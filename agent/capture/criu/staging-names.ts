import { readdir, stat } from 'node:fs/promises';
import type { Written } from './freeze-watch.ts';

/** Names inside the staging directory that are the capture's as a whole. */
export const stagingNames = {
  containers: 'containers',
  volumes: 'volumes',
  holdScript: 'hold',
  stoppedBefore: 'stopped-before.json',
} as const;

/** Names inside the staging directory that are one container's. */
export const namesOf = (
  container: string,
): {
  readonly directory: string;
  readonly images: string;
  readonly rootfs: string;
  readonly output: string;
} => {
  const directory = `${stagingNames.containers}/${container}`;
  return {
    directory,
    images: `${directory}/criu`,
    rootfs: `${directory}/rootfs.tar`,
    output: `${directory}/criu.out`,
  };
};

/** The tar of a volume. */
export const volumeTarName = (volume: string): string => `${stagingNames.volumes}/${volume}.tar`;

/** Images that hold memory of the source. */
const memoryImage = /^pages-.*\.img$/;

/** How much a dump has written into its staging directory so far. */
export async function measureStaging(stagingDirectory: string): Promise<Written> {
  let bytes = 0;
  let activity = 0;
  for (const container of await readdir(`${stagingDirectory}/${stagingNames.containers}`)) {
    const names = namesOf(container);
    const images = `${stagingDirectory}/${names.images}`;
    for (const name of await readdir(images)) {
      const size = await sizeOf(`${images}/${name}`);
      activity += size;
      if (memoryImage.test(name)) bytes += size;
    }
    bytes += await sizeOf(`${stagingDirectory}/${names.rootfs}`);
  }
  const volumes = `${stagingDirectory}/${stagingNames.volumes}`;
  for (const name of await readdir(volumes)) bytes += await sizeOf(`${volumes}/${name}`);
  return { bytes, activity };
}

/** CRIU makes and removes files as it goes. */
async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.size ?? 0;
}
