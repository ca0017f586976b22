import { Failure } from '../../../core/failure.ts';
import { findVolume } from '../../capture/criu/volumes.ts';
import type { Mount } from '../../proc/mountinfo.ts';
import type { Entrance } from './placeholder.ts';

/** Where a captured volume is put: through a container that mounts it, all of it or the part that is mounted there. */
export type VolumePlace = {
  readonly entrance: Pick<Entrance, 'target' | 'mounts'>;
  readonly volume: string;
  readonly directory: string;
  readonly part: string | undefined;
};

const sharedMemoryPath = '/dev/shm';
/** What artifacts that do not say which volume is mounted where have there. */
const sharedMemoryVolume = 'dev-shm';

/**
 * Where the volumes of a snapshot go, each once however many containers mount it: as a whole where one mounts it so, else part by part. The
 * artifact's word alone leads nowhere: a place must be an emptyDir of the very pod, or the sandbox's own /dev/shm, by the placeholder's mount
 * table. Throws RestoreIncompatible.
 */
export function volumePlaces<E extends VolumePlace['entrance']>(
  entrances: readonly E[],
  nodeMounts: readonly Mount[],
  podUID: string,
): readonly (VolumePlace & { readonly entrance: E })[] {
  const names = new Set(
    entrances.flatMap(({ target }) => target.container.volumes.map(({ name }) => name)),
  );
  return [...names].flatMap((volume) => {
    const all = entrances.flatMap((entrance) =>
      entrance.target.container.mounts
        .filter((mount) => mount.treatment === 'volume')
        .filter((mount) => (mount.volume ?? sharedMemoryVolume) === volume)
        .map(({ path, subPath }) => ({ entrance, volume, directory: path, part: subPath })),
    );
    for (const place of all) check(place, nodeMounts, podUID);
    const whole = all.find(({ part }) => part === undefined);
    if (whole !== undefined) return [whole];
    return all.filter(({ part }, index) => all.findIndex((one) => one.part === part) === index);
  });
}

function check(
  { entrance, volume, directory, part }: VolumePlace,
  nodeMounts: readonly Mount[],
  podUID: string,
): void {
  const mount = entrance.mounts.find((one) => one.mountPoint === directory);
  if (mount === undefined || !takesVolume(mount, nodeMounts, podUID)) {
    throw incompatible(`the snapshot has volume ${volume} at ${directory}, the pod no emptyDir`);
  }
  if (part?.split('/').some((name) => name === '' || name === '.' || name === '..')) {
    throw incompatible(`volume ${volume} has the part ${JSON.stringify(part)} at ${directory}`);
  }
}

function takesVolume(mount: Mount, nodeMounts: readonly Mount[], podUID: string): boolean {
  const found = findVolume(mount, nodeMounts, podUID);
  if (found !== undefined) return found.plugin === 'kubernetes.io~empty-dir';
  return mount.mountPoint === sharedMemoryPath && mount.fileSystem === 'tmpfs';
}

const incompatible = (message: string): Failure =>
  new Failure('terminal', 'RestoreIncompatible', message);
