import type { Mount } from '../../proc/mountinfo.ts';

/** A directory of the kubelet's that a mount shows: plugin as in `kubernetes.io~empty-dir`, and the part of the volume, empty for all of it. */
export type KubeletVolume = {
  readonly plugin: string;
  readonly name: string;
  readonly subPath: string;
};

/**
 * Which volume of its pod a mount is. A volume that is a directory shows its path on the node as the mount's root; one that is a file system
 * of its own (a memory-backed emptyDir, a projected token) does not, and is found in the node's mount table by device.
 */
export function findVolume(
  mount: Mount,
  nodeMounts: readonly Mount[],
  podUID: string,
): KubeletVolume | undefined {
  return candidatePaths(mount, nodeMounts)
    .map((path) => volumeOfPath(path, podUID))
    .find((found) => found !== undefined);
}

function candidatePaths(mount: Mount, nodeMounts: readonly Mount[]): readonly string[] {
  const onNode = nodeMounts
    .filter((node) => node.device === mount.device && node.root === '/')
    .map((node) => `${node.mountPoint}${mount.root === '/' ? '' : mount.root}`);
  return [mount.root, ...onNode];
}

/** `.../pods/<uid>/volumes/<plugin>/<name>[/...]`, wherever the kubelet's directory is. */
function volumeOfPath(path: string, podUID: string): KubeletVolume | undefined {
  const parts = path.split('/');
  const pod = parts.findIndex(
    (part, index) =>
      part === 'pods' && parts[index + 1] === podUID && parts[index + 2] === 'volumes',
  );
  const plugin = parts[pod + 3];
  const name = parts[pod + 4];
  if (pod < 0 || plugin === undefined || name === undefined) return undefined;
  return { plugin, name, subPath: parts.slice(pod + 5).join('/') };
}
