import { join } from 'node:path';
import { run } from '../../proc/run.ts';
import type { RestoreRequest } from '../backend.ts';
import { bundled, enterArguments } from './enter.ts';
import { filesFailure, layerArguments, volumeArguments, writeDeletions } from './files.ts';
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
  if ((await writeDeletions(layer, list)) > 0) {
    const what = `deletions of container ${name}`;
    await step(entrance, what, list, '/', [`${stage}/bundle/remove`], signal);
  }
  const extract = tar(layerArguments(entrance.mounts.map((mount) => mount.mountPoint)));
  await step(entrance, `the writable layer of container ${name}`, layer, '/', extract, signal);
}

/** Every volume of the snapshot once, whoever mounts it; what other containers of the pod use stays as it is. */
export async function putVolumes(
  places: readonly (VolumePlace & { readonly entrance: Entrance })[],
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<void> {
  for (const { entrance, volume, directory, part } of places) {
    if (request.keptVolumes.has(volume)) continue;
    const file = join(request.filesDirectory, 'volumes', `${volume}.tar`);
    const extract = tar(volumeArguments(directory, part ?? ''));
    await step(entrance, `volume ${volume}`, file, directory, extract, signal);
  }
}
