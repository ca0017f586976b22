import type { FileHandle } from 'node:fs/promises';
import { Failure } from '../../../core/failure.ts';
import { type ConfinedDirectory, withConfined } from '../../proc/confined-files.ts';
import { type RunResult, run } from '../../proc/run.ts';

/**
 * A tar of everything below an open directory. posix: sizes, times and names without limits; every extended attribute, overlayfs' own
 * included (they mark opaque directories); numeric owners; holes stay holes.
 */
export const tarArguments: readonly string[] = [
  'tar',
  '--create',
  '--file=-',
  '--format=posix',
  '--numeric-owner',
  '--xattrs',
  '--xattrs-include=*',
  '--sparse',
  '--one-file-system',
  '--directory=/proc/self/fd/3',
  '.',
];

/**
 * Packs a directory into a new file. `accept` sees the open directory first and may throw. Everything is frozen: tar's exit code 1 (a file
 * changed while it was read) means that somebody else writes there, and is a failure. Throws Failure.
 */
export async function packDirectory(
  directory: ConfinedDirectory,
  file: string,
  accept: (handle: FileHandle) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const result = await withConfined(directory, async (handle): Promise<RunResult> => {
    await accept(handle);
    return run(tarArguments, { signal, stdoutFile: file, inherit: [handle.fd] });
  });
  signal.throwIfAborted();
  if (!result.ok) {
    const full = /No space left|Disk quota/.test(result.stderr);
    throw new Failure('retry', full ? 'StorageFull' : 'CheckpointFailed', `${file}: ${result.why}`);
  }
}

/** `major:minor` of mountinfo from the device number stat gives. */
export function deviceName(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}
