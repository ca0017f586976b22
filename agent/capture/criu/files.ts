import { type FileHandle, writeFile } from 'node:fs/promises';
import { Failure } from '../../../core/failure.ts';
import { type ConfinedDirectory, withConfined } from '../../proc/confined-files.ts';
import { parseMountinfo } from '../../proc/mountinfo.ts';
import { readProc } from '../../proc/process-table.ts';
import { type RunResult, run } from '../../proc/run.ts';
import { emptyDirDirectory } from '../empty-dir.ts';
import { type PlannedVolume, sharedMemoryPath } from './mount-plan.ts';
import type { Source } from './source.ts';
import { namesOf, volumeTarName } from './staging-names.ts';

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

/** A tar without entries: two blocks of zeros. */
const noFiles = Buffer.alloc(1024);

/** Where and of whom files are packed. */
type Packing = {
  readonly procRoot: string;
  readonly hostRoot: string;
  readonly kubeletDirectory: string;
  readonly podUID: string;
  readonly stagingDirectory: string;
};

/** Packs the writable layers and the volumes of a source that stands still into its staging directory. Throws Failure. */
export async function packFiles(
  packing: Packing,
  sources: readonly { readonly name: string; readonly source: Source }[],
  volumes: readonly PlannedVolume[],
  signal: AbortSignal,
): Promise<void> {
  const { hostRoot, stagingDirectory } = packing;
  const layers = sources.map(({ name, source: { upperDirectory } }) => {
    const file = `${stagingDirectory}/${namesOf(name).rootfs}`;
    if (upperDirectory === undefined) return writeFile(file, noFiles, { flag: 'wx', mode: 0o600 });
    const directory = { base: `${hostRoot}${upperDirectory}`, below: [] };
    return packDirectory(directory, file, async () => undefined, signal);
  });
  const packed = volumes.map((volume) => packVolume(packing, volume, signal));
  const results = await Promise.allSettled([...layers, ...packed]);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** Only the file system that the container's mount table names is believed, whatever lies at the path now. */
function packVolume(packing: Packing, volume: PlannedVolume, signal: AbortSignal): Promise<void> {
  const { procRoot } = packing;
  const { device } = volume.mount;
  return packDirectory(
    directoryOf(packing, volume),
    `${packing.stagingDirectory}/${volumeTarName(volume.name)}`,
    async (handle) => {
      const pid = volume.from === 'emptyDir' ? 1 : volume.container.root.pid;
      const found = await deviceOf(procRoot, pid, handle);
      if (found === device) return;
      const message = `volume ${volume.name} is on device ${found ?? 'unknown'}, its mount says ${device}`;
      throw new Failure('terminal', 'CheckpointFailed', message);
    },
    signal,
  );
}

/** An emptyDir is read as a whole, whatever part of it is mounted; the sandbox's /dev/shm has no place of its own but the container's. */
function directoryOf(packing: Packing, volume: PlannedVolume): ConfinedDirectory {
  if (volume.from === 'emptyDir') return emptyDirDirectory({ ...packing, volume: volume.name });
  return {
    base: `${packing.procRoot}/${volume.container.root.pid}/root`,
    below: sharedMemoryPath.split('/').slice(1),
  };
}

/**
 * The device of an open directory as the mount table of a process names it: some file systems (btrfs) give `stat` another number.
 * Undefined when the table does not have the mount.
 */
async function deviceOf(
  procRoot: string,
  pid: number,
  handle: FileHandle,
): Promise<string | undefined> {
  const text = (await readProc(`/proc/self/fdinfo/${handle.fd}`)) ?? '';
  const id = Number(/^mnt_id:\s*(\d+)$/m.exec(text)?.[1]);
  const table = parseMountinfo((await readProc(`${procRoot}/${pid}/mountinfo`)) ?? '');
  return table.find((mount) => mount.id === id)?.device;
}
