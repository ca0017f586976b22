import { mkdir, readdir } from 'node:fs/promises';
import { run } from '../../proc/run.ts';

const suffix = '.lock';
/** Removing a lock file takes no time; it must not be given up half-way. */
const never = new AbortController().signal;

/** The lock file of a container, in a directory that all agents of the node share. */
export async function lockFile(directory: string, containerID: string): Promise<string> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const id = containerID.replace(/^.*:\/\//, '').replace(/[^0-9A-Za-z]/g, '_');
  return `${directory}/${id}${suffix}`;
}

/** Removes a lock file that nobody holds, under its own lock: a launcher that opened it meanwhile sees that the name is gone. */
export async function removeLock(file: string): Promise<void> {
  await run(['flock', '-n', file, 'rm', '-f', file], { signal: never });
}

/** Removes what earlier agents left. */
export async function sweepLocks(directory: string): Promise<void> {
  for (const name of await readdir(directory).catch(() => [])) {
    if (name.endsWith(suffix)) await removeLock(`${directory}/${name}`);
  }
}
