import { annotations, controlVolume } from '../../core/api/names.ts';
import type { Pod } from '../../core/api/workload.ts';
import { Failure } from '../../core/failure.ts';
import { controlDirectory } from '../capture/control-directory.ts';
import { type NamedContainer, resolveContainers, resolveRestored } from '../capture/resolve.ts';
import { writeSentinel } from '../proc/confined-files.ts';
import type { Sources } from './deps.ts';
import { targetStatus } from './source-check.ts';

/** The pods of this node through /proc and the kubelet's directory. `hostRoot`: the node's root as the agent sees it. */
export function nodeSources(node: {
  readonly procRoot: string;
  readonly hostRoot: string;
  readonly kubeletDirectory: string;
}): Sources {
  return {
    resolve: async (pod, containers) => {
      const named = namedContainers(pod, containers);
      const resolve = isRestored(pod) ? resolveRestored : resolveContainers;
      return resolve(node.procRoot, named);
    },
    tell: async (pod, container, name, text) => {
      const mount = controlMount(pod, container);
      if (mount === undefined) return false;
      const { hostRoot, kubeletDirectory } = node;
      const podUID = pod.metadata.uid;
      const at = controlDirectory({ hostRoot, kubeletDirectory, podUID, container });
      // Pods shaped by hand may use another subdirectory than the container's name, or none; each part is opened without following a link.
      const parts = (mount.subPath ?? '').split('/').filter((part) => part !== '');
      const directory = { base: at.base, below: [...at.below.slice(0, -1), ...parts] };
      await writeSentinel(directory, name, `${text}\n`);
      return true;
    },
  };
}

/** A pod that was made to be restored into: what its containers run is not what their inits are. */
const isRestored = (pod: Pod): boolean =>
  pod.metadata.annotations[annotations.restoreFrom] !== undefined;

/** Containers by the IDs in the pod's status. Throws Failure 'terminal' ContainerNotResolved for one without. */
export function namedContainers(
  pod: Pod,
  containers: readonly string[],
): readonly NamedContainer[] {
  return containers.map((name) => {
    const containerID = targetStatus(pod, name)?.containerID;
    if (containerID !== undefined) return { name, containerID };
    const message = `container ${name} has no container ID in the pod's status`;
    throw new Failure('terminal', 'ContainerNotResolved', message);
  });
}

const controlMount = (
  pod: Pod,
  container: string,
): { readonly subPath?: string | undefined } | undefined =>
  pod.spec.volumes.some((volume) => volume.name === controlVolume.name)
    ? pod.spec.containers
        .find((spec) => spec.name === container)
        ?.volumeMounts.find((mount) => mount.name === controlVolume.name)
    : undefined;
