import type { Pod } from '../../core/api/workload.ts';
import { sleep } from '../../core/clock.ts';
import type { ArtifactConfig } from '../artifact/config.ts';
import type { RestoreDeps } from './deps.ts';

/** The kubelet reports a container that runs within a second or two. */
const patienceMilliseconds = 10_000;
const pauseMilliseconds = 100;

/**
 * The pod with what the kubelet reports of it, where something depends on that: its address for connections that were saved, the digest of an image that
 * is not named as the captured one. Where nothing does, or when it is not reported in time, the pod as it is.
 */
export async function reportedPod(
  { pod: find, clock }: Pick<RestoreDeps, 'pod' | 'clock'>,
  seen: Pod,
  artifact: Pick<ArtifactConfig, 'containers' | 'options'>,
  signal: AbortSignal,
): Promise<Pod> {
  const { namespace = '', name, uid } = seen.metadata;
  const giveUpAt = clock.monotonicMilliseconds() + patienceMilliseconds;
  for (let pod = seen; ; ) {
    if (!lacks(pod, artifact) || clock.monotonicMilliseconds() >= giveUpAt) return pod;
    await sleep(clock, pauseMilliseconds, signal);
    const now = find(namespace, name);
    if (now?.metadata.uid === uid) pod = now;
  }
}

function lacks(pod: Pod, { containers, options }: Parameters<typeof reportedPod>[2]): boolean {
  if (options.tcp === 'Established' && pod.status.podIP === undefined) return true;
  return containers.some(({ name, image }) => {
    const wanted = pod.spec.containers.find((one) => one.name === name)?.image;
    const status = pod.status.containerStatuses.find((one) => one.name === name);
    return wanted !== undefined && wanted !== image && !status?.imageID;
  });
}
