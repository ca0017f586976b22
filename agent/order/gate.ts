import { labels } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { Pod } from '../../core/api/workload.ts';
import { isFailure } from '../../core/failure.ts';
import { identityOf } from '../../runtime/raw-object.ts';
import type { OrderDeps } from './deps.ts';
import { parseFacts } from './facts.ts';
import {
  checkPod,
  pinsOf,
  type SourcePin,
  targetContainers,
  type Verdict,
} from './source-check.ts';
import { podKeyOf, readPod } from './source-pod.ts';

/**
 * The agent's own, uncached look at the source before anything is done to it, ending in the label that says so. An earlier attempt's
 * view of the containers is kept: a restart between attempts must not go unseen.
 */
export async function passGate(
  deps: OrderDeps,
  content: PodSnapshotContent,
  signal: AbortSignal,
): Promise<{ readonly pins: readonly SourcePin[] } | Verdict> {
  const intent = deps.journal.find(content.metadata.uid);
  const pod = await readPod(deps, content, signal);
  const verdict = checkPod(content, pod, intent === undefined ? 'new' : 'seen before');
  if (verdict !== undefined) return verdict;
  if (pod === undefined) return { reason: 'SourcePodNotFound', message: 'the pod does not exist' };
  await addLabel(deps, content, pod, signal);
  const earlier = intent === undefined ? undefined : parseFacts(intent.facts)?.restartCounts;
  return {
    pins: pinsOf(pod, targetContainers(content)).map((pin) => ({
      ...pin,
      restartCount: earlier?.[pin.container] ?? pin.restartCount,
    })),
  };
}

/** Marks a pod as one that the gate let through, unless it is. */
export async function addLabel(
  deps: Pick<OrderDeps, 'kube'>,
  content: PodSnapshotContent,
  pod: Pod,
  signal: AbortSignal,
): Promise<void> {
  if (pod.metadata.labels[labels.captureEligible] === 'true') return;
  const { uid, resourceVersion } = pod.metadata;
  const metadata = { uid, resourceVersion, labels: { [labels.captureEligible]: 'true' } };
  await deps.kube.patch(podKeyOf(content), '', { type: 'merge', body: { metadata } }, signal);
}

/** Takes the label off again, from the very pod that got it: to the version that this made. One that is gone or replaced needs nothing. */
export async function removeLabel(
  deps: Pick<OrderDeps, 'kube'>,
  content: PodSnapshotContent,
  signal: AbortSignal,
): Promise<string | undefined> {
  const uid = content.spec.source.podRef?.uid;
  const body = { metadata: { uid, labels: { [labels.captureEligible]: null } } };
  try {
    const raw = await deps.kube.patch(podKeyOf(content), '', { type: 'merge', body }, signal);
    return identityOf(raw).resourceVersion;
  } catch (error) {
    if (isFailure(error, 'gone', 'conflict')) return undefined;
    throw error;
  }
}
