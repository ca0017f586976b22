import { readFile } from 'node:fs/promises';
import { arch, cpus, release } from 'node:os';
import { posix } from 'node:path';
import type { Pod } from '../../core/api/workload.ts';
import type { PodVolume } from '../capture/backend.ts';
import type { CaptureFacts } from './facts.ts';
import type { NodeFacts } from './status.ts';

/** Kubernetes' names of architectures, where Node's differ. */
const architectures: Readonly<Record<string, string>> = { x64: 'amd64', ia32: '386' };

/** Facts about this node, for status. */
export const nodeFactsOf = (name: string): NodeFacts => ({
  name,
  architecture: architectures[arch()] ?? arch(),
  kernelVersion: release(),
  cpu: cpus()[0]?.model ?? 'unknown',
});

/** The kernel's random name of this boot. */
export const readBootID = async (): Promise<string> =>
  (await readFile('/proc/sys/kernel/random/boot_id', 'utf8')).trim();

/** The pod's volumes and where they are mounted. Of paths with a trailing slash the mount table knows nothing. */
export function podVolumesOf(pod: Pod): readonly PodVolume[] {
  return pod.spec.volumes.map(({ name, ...source }) => {
    const [kind = ''] = Object.keys(source);
    const claim = source.persistentVolumeClaim?.claimName;
    return {
      name,
      kind,
      ...(claim === undefined ? {} : { claim }),
      mounts: pod.spec.containers.flatMap(({ name: container, volumeMounts }) =>
        volumeMounts
          .filter((mount) => mount.name === name)
          .map(({ mountPath }) => ({
            container,
            path: posix.normalize(mountPath).replace(/(.)\/$/, '$1'),
          })),
      ),
    };
  });
}

/** What status and artifact keep of the pod: images as they ran, limits, network names. Taken once, at the capture. */
export function podFactsOf(
  pod: Pod,
  containers: readonly string[],
): Pick<CaptureFacts, 'images' | 'limits' | 'network'> {
  const images = pod.status.containerStatuses
    .filter((status) => containers.includes(status.name))
    .map(({ name, image, imageID }) => ({ container: name, image, imageID }));
  const limits = pod.spec.containers.flatMap(({ name, resources }) =>
    containers.includes(name) && resources?.limits !== undefined
      ? [[name, resources.limits] as const]
      : [],
  );
  const { hostname } = pod.spec;
  return {
    images,
    network: {
      hostname: typeof hostname === 'string' ? hostname : pod.metadata.name,
      podIPs: pod.status.podIP === undefined ? [] : [pod.status.podIP],
    },
    limits: Object.fromEntries(
      limits.map(([container, amounts]) => [
        container,
        Object.fromEntries(Object.entries(amounts).map(([name, amount]) => [name, String(amount)])),
      ]),
    ),
  };
}
