import { Failure } from '../../../core/failure.ts';
import type { ArtifactContainer } from '../../artifact/config.ts';
import { findVolume } from '../../capture/criu/volumes.ts';
import type { Mount } from '../../proc/mountinfo.ts';

/** Where a captured volume goes in the placeholder. `part`: of the volume, where not all of it is mounted there. */
export type VolumeTarget = {
  readonly volume: string;
  readonly directory: string;
  readonly part: string | undefined;
};

const sharedMemoryPath = '/dev/shm';
/** What artifacts that do not say which volume is mounted where have there. */
const sharedMemoryVolume = 'dev-shm';

/**
 * Where the volumes of an artifact go. Its word alone leads nowhere: a place must be an emptyDir of the very pod, or the sandbox's own /dev/shm, by
 * the placeholder's mount table. A volume that is mounted as a whole is put there once, one that is not in its parts. Throws RestoreIncompatible.
 */
export function volumeTargets(
  container: Pick<ArtifactContainer, 'mounts' | 'volumes'>,
  mounts: readonly Mount[],
  nodeMounts: readonly Mount[],
  podUID: string,
): readonly VolumeTarget[] {
  const captured = container.mounts.filter(({ treatment }) => treatment === 'volume');
  return container.volumes.flatMap(({ name }) => {
    const places = captured.filter(({ volume = sharedMemoryVolume }) => volume === name);
    const whole = places.find(({ subPath }) => subPath === undefined);
    return (whole === undefined ? places : [whole]).map(({ path, subPath }) => {
      const mount = mounts.find((one) => one.mountPoint === path);
      if (mount === undefined || !takesVolume(mount, nodeMounts, podUID)) {
        throw incompatible(`the snapshot has volume ${name} at ${path}, the pod no emptyDir`);
      }
      if (subPath?.split('/').some((part) => part === '' || part === '.' || part === '..')) {
        throw incompatible(`volume ${name} has the part ${JSON.stringify(subPath)} at ${path}`);
      }
      return { volume: name, directory: path, part: subPath };
    });
  });
}

function takesVolume(mount: Mount, nodeMounts: readonly Mount[], podUID: string): boolean {
  const found = findVolume(mount, nodeMounts, podUID);
  if (found !== undefined) return found.plugin === 'kubernetes.io~empty-dir';
  return mount.mountPoint === sharedMemoryPath && mount.fileSystem === 'tmpfs';
}

const incompatible = (message: string): Failure =>
  new Failure('terminal', 'RestoreIncompatible', message);
