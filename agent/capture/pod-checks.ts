import type { Pod } from '../../core/api/workload.ts';
import { formatMilliseconds } from '../../core/units.ts';
import type { Blocker } from './backend.ts';

/** Namespaces that a pod may share; those of processes hide which process is whose. */
const sharing = {
  hostPID: 'its processes are not told apart from those of the node',
  shareProcessNamespace: 'its containers are not told apart',
  hostNetwork: 'what it shares with the node cannot be captured',
  hostIPC: 'what it shares with the node cannot be captured',
} as const;

/** What in a pod's spec makes its processes impossible to find, and all else of the kind with it. Empty when they can be found. Pure. */
export function findUnreachable(pod: Pod): readonly Blocker[] {
  if (pod.spec.hostPID !== true && pod.spec.shareProcessNamespace !== true) return [];
  return Object.entries(sharing)
    .filter(([field]) => pod.spec[field] === true)
    .map(([field, why]) => ({
      check: 'sharedNamespaces',
      message: `the pod uses ${field}: ${why}; run it without`,
    }));
}

/**
 * Liveness probes that would restart a container while it stands still. The kubelet gives up after failureThreshold failures in a row; in the
 * worst case the first begins with the freeze. A tcpSocket probe is answered by the kernel, also for a process that is stopped. Pure.
 */
export function findFiringProbes(
  pod: Pod,
  containers: readonly string[],
  expectedFreezeMilliseconds: number,
): readonly Blocker[] {
  return pod.spec.containers.flatMap(({ name, livenessProbe }) => {
    if (!containers.includes(name) || livenessProbe === undefined) return [];
    if (livenessProbe.tcpSocket !== undefined) return [];
    const period = secondsOf(livenessProbe.periodSeconds, 10);
    const failures = secondsOf(livenessProbe.failureThreshold, 3);
    const timeout = secondsOf(livenessProbe.timeoutSeconds, 1);
    const firesAfterMilliseconds = ((failures - 1) * period + timeout) * 1000;
    if (firesAfterMilliseconds > expectedFreezeMilliseconds) return [];
    const limit = formatMilliseconds(firesAfterMilliseconds);
    const expected = formatMilliseconds(expectedFreezeMilliseconds);
    return [
      {
        check: 'livenessProbe',
        message: `the liveness probe of container ${name} restarts it after ${limit} without an answer (periodSeconds ${period}, failureThreshold ${failures}, timeoutSeconds ${timeout}), and the freeze may last ${expected}; raise failureThreshold or periodSeconds`,
      },
    ];
  });
}

const volumeSource = /^(emptyDir|name)$/;

/** Volumes that the containers mount and a capture leaves where they are; a restore finds them as the new pod has them. Pure. */
export function findVolumesLeftOut(pod: Pod, containers: readonly string[]): readonly string[] {
  const mounts = pod.spec.containers
    .filter(({ name }) => containers.includes(name))
    .flatMap(({ name, volumeMounts }) =>
      volumeMounts.map((mount) => ({ ...mount, container: name })),
    );
  return mounts.flatMap(({ name, mountPath, container }) => {
    const volume = pod.spec.volumes.find((one) => one.name === name) ?? { name };
    const source = Object.keys(volume).find((key) => !volumeSource.test(key));
    return source === undefined ? [] : [`${container}: ${source} ${name} at ${mountPath}`];
  });
}

/** The API server fills in what a pod leaves out; 0 of these means the default. */
const secondsOf = (value: unknown, standard: number): number =>
  typeof value === 'number' && value > 0 ? value : standard;
