import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../proc/run.ts';
import type { RestoreRequest } from '../backend.ts';
import { bundled, enterArguments } from './enter.ts';
import { filesFailure, layerArguments, readLayer, volumeArguments } from './files.ts';
import { type Entrance, stage } from './placeholder.ts';
import type { VolumePlace } from './volumes.ts';

/** Runs a program of the bundle in a placeholder with a file of ours as its stdin. */
async function step(
  entrance: Entrance,
  what: string,
  file: string,
  writable: string,
  program: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  const opens = { 0: { mode: 'r', file } } as const;
  const argv = enterArguments({ ...entrance.entering, opens, writable: [writable], program });
  const result = await run(argv, { signal });
  signal.throwIfAborted();
  if (!result.ok) throw filesFailure(what, result.why);
}

const tar = (arguments_: readonly string[]): readonly string[] => [
  ...bundled(stage, 'tar'),
  ...arguments_,
];

/** The writable layer of one container: deletions first. A root that is read-only is so again for the workload. */
export async function putLayer(
  entrance: Entrance,
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<void> {
  const { name } = entrance.target.container;
  const layer = join(request.filesDirectory, 'containers', name, 'rootfs.tar');
  const list = join(request.workDirectory, `${name}-deletions`);
  const { deletions, changes } = await readLayer(layer, list, await stat(entrance.root));
  if (deletions > 0) {
    const what = `deletions of container ${name}`;
    await step(entrance, what, list, '/', [`${stage}/bundle/remove`], signal);
  }
  if (!changes) return;
  const extract = tar(layerArguments(entrance.mounts.map((mount) => mount.mountPoint)));
  await step(entrance, `the writable layer of container ${name}`, layer, '/', extract, signal);
}

/**
 * Every volume of the snapshot once, whoever mounts it; what other containers of the pod use stays as it is. Containers side by side, in each of them
 * one volume after the other: the stage takes one program at a time.
 */
export async function putVolumes(
  places: readonly (VolumePlace & { readonly entrance: Entrance })[],
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<void> {
  const wanted = places.filter(({ volume }) => !request.keptVolumes.has(volume));
  const byEntrance = Map.groupBy(wanted, ({ entrance }) => entrance);
  await allSettled(
    [...byEntrance].map(async ([entrance, itsPlaces]) => {
      for (const { volume, directory, part } of itsPlaces) {
        const file = join(request.filesDirectory, 'volumes', `${volume}.tar`);
        const extract = tar(volumeArguments(directory, part ?? ''));
        await step(entrance, `volume ${volume}`, file, directory, extract, signal);
      }
    }),
  );
}

/** Every result, or the first failure once none is under way any more. */
export async function allSettled<T>(running: readonly Promise<T>[]): Promise<readonly T[]> {
  await Promise.allSettled(running);
  return Promise.all(running);
}
