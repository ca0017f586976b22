import type { FileHandle } from 'node:fs/promises';
import { Failure } from '../../../core/failure.ts';
import { type ConfinedDirectory, withConfined } from '../../proc/confined-files.ts';
import type { ProcessIdentity } from '../../proc/identity.ts';
import { type RunResult, run } from '../../proc/run.ts';
import { type PlannedMount, sharedMemoryPath, sharedMemoryVolume } from './mount-plan.ts';
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

/** `major:minor` of mountinfo from the device number stat gives. */
export function deviceName(device: bigint): string {
  const major = ((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n);
  const minor = (device & 0xffn) | ((device >> 12n) & 0xffffff00n);
  return `${major}:${minor}`;
}

/** Packs the writable layers and the volumes of a source that stands still into its staging directory. Throws Failure. */
export async function packFiles(
  from: { readonly procRoot: string; readonly hostRoot: string },
  capture: { readonly stagingDirectory: string; readonly containers: readonly Packed[] },
  signal: AbortSignal,
): Promise<void> {
  const { stagingDirectory, containers } = capture;
  const layers = containers.map(({ request: { name, source } }) =>
    packDirectory(
      { base: `${from.hostRoot}${source.upperDirectory}`, below: [] },
      `${stagingDirectory}/${namesOf(name).rootfs}`,
      async () => undefined,
      signal,
    ),
  );
  const holder = containers.find(({ request: { mounts } }) =>
    mounts.some((mount) => mount.treatment === 'volume'),
  );
  const volumes =
    holder === undefined ? [] : [packSharedMemory(from, holder, stagingDirectory, signal)];
  const results = await Promise.allSettled([...layers, ...volumes]);
  for (const result of results) if (result.status === 'rejected') throw result.reason;
}

/** A container whose files are packed. */
type Packed = {
  readonly request: {
    readonly name: string;
    readonly root: ProcessIdentity;
    readonly source: Source;
    readonly mounts: readonly PlannedMount[];
  };
};

function packSharedMemory(
  from: { readonly procRoot: string },
  { request: { root, source } }: Packed,
  stagingDirectory: string,
  signal: AbortSignal,
): Promise<void> {
  const device = source.mounts.findLast((mount) => mount.mountPoint === sharedMemoryPath)?.device;
  return packDirectory(
    { base: `${from.procRoot}/${root.pid}/root`, below: sharedMemoryPath.split('/').slice(1) },
    `${stagingDirectory}/${volumeTarName(sharedMemoryVolume)}`,
    // The path lies inside the container: only the file system that its mount table names is believed.
    async (handle) => {
      const found = deviceName((await handle.stat({ bigint: true })).dev);
      if (found === device) return;
      const message = `${sharedMemoryPath} is on device ${found}, its mount says ${device}`;
      throw new Failure('terminal', 'CheckpointFailed', message);
    },
    signal,
  );
}

/** The volumes that `packFiles` packs. */
export function volumesOf(
  containers: readonly Packed[],
): readonly { readonly name: string; readonly path: string }[] {
  const names = containers.flatMap(({ request }) =>
    request.mounts.flatMap(({ volume }) => (volume === undefined ? [] : [volume])),
  );
  return [...new Set(names)].map((name) => ({ name, path: volumeTarName(name) }));
}
