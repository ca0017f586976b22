import { kinds } from '../../core/api/kinds.ts';
import type { PodRestore } from '../../core/api/pod-restore.ts';
import { parsePod } from '../../core/api/workload.ts';
import { cacheKey } from '../../runtime/raw-object.ts';
import { read } from '../read.ts';
import type { Sighting } from '../source-job/sighting.ts';
import type { PodRestoreSources } from './observe.ts';
import type { PodRestoreStep, RestoredPod } from './observed.ts';
import { isOurs, podNameOf, viewPod } from './pod-view.ts';
import { isStray } from './stray.ts';

/** A pod that goes on is followed in the cache; whatever would end it, or make another, is asked for uncached. */
export async function sightPod(
  { kube, restorePods }: Pick<PodRestoreSources, 'kube' | 'restorePods'>,
  restore: PodRestore,
  step: PodRestoreStep,
  signal: AbortSignal,
): Promise<Sighting<RestoredPod>> {
  const { namespace = '' } = restore.metadata;
  const name = podNameOf(restore);
  const inCache = restorePods.get(cacheKey(namespace, name));
  // All there is to look for is what the cache shows of a pod that should not be.
  if (step === 'Settled' && (inCache === undefined || !isStray(restore, inCache))) {
    return { state: 'unread' };
  }
  const cached = step === 'Placed' ? inCache : undefined;
  if (cached !== undefined && cached.metadata.uid === restore.status.podUID) {
    return { state: 'ours', object: viewPod(cached, restore.spec.maxAttempts) };
  }
  const pod = await read(kube, { kind: kinds.pod, namespace, name }, parsePod, signal);
  if (pod === undefined) return { state: 'missing' };
  if (isOurs(restore, pod, { mayBeReplaced: step !== 'Placed' }))
    return { state: 'ours', object: viewPod(pod, restore.spec.maxAttempts) };
  return { state: 'foreign', name, leaving: pod.metadata.deletionTimestamp !== undefined };
}
