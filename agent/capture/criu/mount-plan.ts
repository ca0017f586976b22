import { controlVolume } from '../../../core/api/names.ts';
import { type Mount, visibleMounts } from '../../proc/mountinfo.ts';
import type { PodVolume, SourceContainer, TreatedMount } from '../backend.ts';
import { findVolume } from './volumes.ts';

/** How a mount of the container is treated. */
export type PlannedMount = TreatedMount;

/** A volume whose content is captured, once for all containers that mount it. */
export type PlannedVolume = {
  readonly name: string;
  readonly from: 'emptyDir' | 'sharedMemory';
  /** A container that has it, and where. */
  readonly container: SourceContainer;
  readonly mount: Mount;
};

/** What happens to every mount and volume of the containers. */
export type Plan = {
  /** In the order of the containers. */
  readonly mounts: readonly (readonly PlannedMount[])[];
  readonly volumes: readonly PlannedVolume[];
  /** Volumes of the spec that must be captured and are in no mount table, one sentence each. */
  readonly missing: readonly string[];
};

/** Where a container's shared memory is; a tmpfs of the sandbox or a memory-backed emptyDir. */
export const sharedMemoryPath = '/dev/shm';

const sharedMemoryName = 'dev-shm';

/**
 * What happens to each mount. `/proc` is CRIU's: the restored tree lives in a PID namespace of its own, whose /proc must belong to it, or
 * getpid() and /proc disagree and it can never be dumped again. emptyDirs and the sandbox's /dev/shm are external to CRIU (which would run
 * `tar --gzip` over the latter inside the freeze) and their content is ours to save. Everything else is put there again by the runtime of the
 * pod it is restored into: claims are referenced, and what the API server can give again (configMaps, secrets, tokens) is no part of a snapshot.
 */
export function planPod(
  containers: readonly {
    readonly container: SourceContainer;
    readonly mounts: readonly Mount[];
  }[],
  nodeMounts: readonly Mount[],
  pod: { readonly podUID: string; readonly volumes: readonly PodVolume[] },
): Plan {
  const volumes = new Map<string, PlannedVolume>();
  const take = (volume: PlannedVolume): void => {
    if (!volumes.has(volume.name)) volumes.set(volume.name, volume);
  };
  const sharedMemory = sharedMemoryNames(pod.volumes);
  const mounts = containers.map(({ container, mounts: all }) =>
    visibleMounts(all).map((mount): PlannedMount => {
      const path = mount.mountPoint;
      if (path === '/') return { path, treatment: 'rootfs' };
      if (path === '/proc') return { path, treatment: 'criu' };
      const found = volumeOf(mount, container, nodeMounts, pod);
      if (found?.kind === 'emptyDir' && found.volume !== controlVolume.name) {
        take({ name: found.volume, from: 'emptyDir', container, mount });
        return { path, treatment: 'volume', ...found };
      }
      if (found !== undefined) return { path, treatment: 'external', ...found };
      if (path !== sharedMemoryPath || mount.fileSystem !== 'tmpfs') {
        return { path, treatment: 'external' };
      }
      const volume = sharedMemory(mount.device);
      take({ name: volume, from: 'sharedMemory', container, mount });
      return { path, treatment: 'volume', volume };
    }),
  );
  const missing = pod.volumes
    .filter(({ kind, name }) => kind === 'emptyDir' && name !== controlVolume.name)
    .flatMap(({ name, mounts: wanted }) =>
      wanted
        .filter(({ container }) => {
          const at = containers.findIndex((one) => one.container.name === container);
          return at >= 0 && !mounts[at]?.some((mount) => mount.volume === name);
        })
        .map(
          ({ container, path }) =>
            `emptyDir ${name} is not mounted in container ${container}, whose spec has it at ${path}`,
        ),
    );
  return { mounts, volumes: [...volumes.values()], missing };
}

/** Plugins whose directories have the name of the pod's volume; those of persistent volumes have that of the PersistentVolume. */
const namedAsInSpec = /~(configmap|secret|projected|downward-api)$/;

type Found = Omit<PlannedMount, 'path' | 'treatment' | 'volume'> & { readonly volume: string };

/** Which of the pod's volumes a mount is: by its place on the node, or, for one that the kubelet keeps elsewhere, by its path in the spec. */
function volumeOf(
  mount: Mount,
  { name: container }: SourceContainer,
  nodeMounts: readonly Mount[],
  pod: { readonly podUID: string; readonly volumes: readonly PodVolume[] },
): Found | undefined {
  const onNode = findVolume(mount, nodeMounts, pod.podUID);
  const inSpec = pod.volumes.find(({ mounts }) =>
    mounts.some((one) => one.container === container && one.path === mount.mountPoint),
  );
  if (onNode?.plugin === 'kubernetes.io~empty-dir') {
    const { name, subPath } = onNode;
    return { volume: name, kind: 'emptyDir', ...(subPath === '' ? {} : { subPath }) };
  }
  // Where it lies decides what is captured; a spec alone is no proof that a mount is an emptyDir of this pod.
  const byName =
    onNode !== undefined && namedAsInSpec.test(onNode.plugin) ? onNode.name : undefined;
  const known = inSpec ?? pod.volumes.find(({ name }) => name === byName);
  if (known === undefined || known.kind === 'emptyDir') return undefined;
  const { name: volume, kind, claim } = known;
  return { volume, kind, ...(claim === undefined ? {} : { claim }) };
}

/** A name for each file system that is some container's /dev/shm, none of them that of a volume. */
function sharedMemoryNames(volumes: readonly PodVolume[]): (device: string) => string {
  const byDevice = new Map<string, string>();
  const taken = new Set(volumes.map(({ name }) => name));
  return (device) => {
    const known = byDevice.get(device);
    if (known !== undefined) return known;
    let name = sharedMemoryName;
    for (let number = 2; taken.has(name); number += 1) name = `${sharedMemoryName}-${number}`;
    taken.add(name);
    byDevice.set(device, name);
    return name;
  };
}
