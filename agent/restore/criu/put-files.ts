import { join } from 'node:path';
import { run } from '../../proc/run.ts';
import type { RestoreRequest } from '../backend.ts';
import { bundled, enterArguments } from './enter.ts';
import { filesFailure, layerArguments, volumeArguments, writeDeletions } from './files.ts';
import { type Entrance, stage } from './placeholder.ts';

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
  const extract = tar(layerArguments(entrance.mountPoints));
  await step(entrance, `the writable layer of container ${name}`, layer, '/', extract, signal);
}

/** Where a volume is put: through a container that mounts it, all of it or the part that is mounted. */
type Place = { readonly entrance: Entrance; readonly path: string; readonly subPath: string };

/** The sandbox's /dev/shm has no name in artifacts that were made before there were other volumes. */
const unnamed = 'dev-shm';

/** The places through which a volume is filled: one that shows all of it where there is one, else each part once. Pure. */
export function placesOf(volume: string, entrances: readonly Entrance[]): readonly Place[] {
  const all = entrances.flatMap((entrance) =>
    entrance.target.container.mounts
      .filter((mount) => mount.treatment === 'volume' && (mount.volume ?? unnamed) === volume)
      .map(({ path, subPath = '' }) => ({ entrance, path, subPath })),
  );
  const whole = all.find(({ subPath }) => subPath === '');
  if (whole !== undefined) return [whole];
  return all.filter(
    (place, index) => all.findIndex((other) => other.subPath === place.subPath) === index,
  );
}

/** Every volume of the snapshot once, whoever mounts it; what other containers of the pod use stays as it is. */
export async function putVolumes(
  entrances: readonly Entrance[],
  request: RestoreRequest,
  signal: AbortSignal,
): Promise<void> {
  const names = new Set(
    entrances.flatMap(({ target }) => target.container.volumes.map((volume) => volume.name)),
  );
  for (const name of names) {
    if (request.keptVolumes.has(name)) continue;
    const file = join(request.filesDirectory, 'volumes', `${name}.tar`);
    for (const { entrance, path, subPath } of placesOf(name, entrances)) {
      const extract = tar(volumeArguments(path, subPath));
      await step(entrance, `volume ${name}`, file, path, extract, signal);
    }
  }
}
