import { mkdir, open, readFile } from 'node:fs/promises';
import { attempt, run } from './command.ts';
import { bedPaths } from './paths.ts';
import { until } from './until.ts';

/** Size of the shared store's file system; the file behind it is sparse. */
const storeBytes = 16 * 1024 ** 3;

/**
 * Makes the bed's shared store: a small ext4 of its own, so that it can be filled and broken without
 * harm to the host. Where loop devices are missing it is a plain folder; returns which of the two.
 */
export async function createStore(bed: string): Promise<'file system' | 'folder'> {
  const { storeDirectory, storeImagePath } = bedPaths(bed);
  await mkdir(storeDirectory, { recursive: true });
  const image = await open(storeImagePath, 'w');
  await image.truncate(storeBytes);
  await image.close();
  await run([
    'mkfs.ext4',
    '-q',
    '-F',
    '-m',
    '0',
    '-E',
    'lazy_itable_init=1,nodiscard',
    storeImagePath,
  ]);
  const mounted = await attempt(
    ['mount', '-o', 'loop,noatime', storeImagePath, storeDirectory],
    {},
  );
  return mounted.exitCode === 0 ? 'file system' : 'folder';
}

/** Unmounts the shared store, however often it was mounted. */
export async function releaseStore(bed: string): Promise<void> {
  const { directory } = bedPaths(bed);
  await until(
    () => `the mounts of bed ${bed} to go`,
    async () => {
      const left = await bedMounts(directory);
      for (const path of left) await run(['umount', path]);
      return left.length === 0 ? true : undefined;
    },
    10_000,
  );
}

/** Mount points of the host at or below a folder, innermost first. */
export async function bedMounts(directory: string): Promise<readonly string[]> {
  const text = await readFile('/proc/self/mountinfo', 'utf8');
  return text
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path === directory || path.startsWith(`${directory}/`))
    .reverse();
}
