import { lstat } from 'node:fs/promises';
import { run } from '../../proc/run.ts';

/** What is in a directory that is to be captured: how much space it takes, and which of its files are devices. */
export type FilesFacts = {
  readonly bytes: number;
  /** Paths below the directory, beginning with a slash; a few of them. */
  readonly devices: readonly string[];
};

const devicesShown = 4;

/** Looks through a writable layer or a volume without following or opening anything in it. What cannot be read counts as nothing. */
export async function readFiles(directory: string, signal: AbortSignal): Promise<FilesFacts> {
  const [bytes, found] = await Promise.all([
    spaceTaken(directory, signal),
    run(['find', directory, '-xdev', '(', '-type', 'b', '-o', '-type', 'c', ')', '-print0'], {
      signal,
    }),
  ]);
  const devices: string[] = [];
  for (const path of found.stdout.split('\0')) {
    if (devices.length === devicesShown) break;
    // Overlayfs marks a deleted file by a character device 0:0.
    if (path !== '' && (await isDevice(path))) devices.push(path.slice(directory.length));
  }
  return { bytes, devices };
}

/** Space a directory takes; du follows no link. What cannot be read counts as nothing. */
async function spaceTaken(directory: string, signal: AbortSignal): Promise<number> {
  const { stdout } = await run(['du', '-sx', '--block-size=1', '--', directory], { signal });
  return Number.parseInt(stdout, 10) || 0;
}

async function isDevice(path: string): Promise<boolean> {
  const status = await lstat(path).catch(() => undefined);
  if (status === undefined) return false;
  return status.isBlockDevice() || (status.isCharacterDevice() && status.rdev !== 0);
}
