import type { Mount } from '../../proc/mountinfo.ts';
import type { VolumeMount } from '../facts.ts';

/**
 * Which mounts of a container are volumes of its pod. A volume that is a directory shows its path on the node as the mount's root; one that
 * is a file system of its own (a memory-backed emptyDir, a projected token) does not, and is found in the node's mount table by device.
 */
export function findVolumes(
  mounts: readonly Mount[],
  nodeMounts: readonly Mount[],
  podUID: string,
): readonly VolumeMount[] {
  return mounts.flatMap((mount) => {
    const volume = candidatePaths(mount, nodeMounts)
      .map((path) => volumeOfPath(path, podUID))
      .find((found) => found !== undefined);
    return volume === undefined
      ? []
      : [{ path: mount.mountPoint, fileSystem: mount.fileSystem, ...volume }];
  });
}

function candidatePaths(mount: Mount, nodeMounts: readonly Mount[]): readonly string[] {
  const onNode = nodeMounts
    .filter((node) => node.device === mount.device && node.root === '/')
    .map((node) => `${node.mountPoint}${mount.root === '/' ? '' : mount.root}`);
  return [mount.root, ...onNode];
}

/** `.../pods/<uid>/volumes/<plugin>/<name>[/...]`, wherever the kubelet's directory is. */
function volumeOfPath(
  path: string,
  podUID: string,
): { readonly plugin: string; readonly name: string } | undefined {
  const parts = path.split('/');
  const pod = parts.findIndex(
    (part, index) =>
      part === 'pods' && parts[index + 1] === podUID && parts[index + 2] === 'volumes',
  );
  const plugin = parts[pod + 3];
  const name = parts[pod + 4];
  return pod < 0 || plugin === undefined || name === undefined ? undefined : { plugin, name };
}
