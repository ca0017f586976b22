import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { Pod } from '../../core/api/workload.ts';
import { Failure, isFailure } from '../../core/failure.ts';
import type { CommittedCapture } from '../capture/backend.ts';
import type { Intent } from '../journal/journal.ts';
import { tellBoth } from './announce.ts';
import type { OrderDeps } from './deps.ts';
import { addLabel } from './gate.ts';
import { markSettled } from './settle.ts';
import { podKeyOf, readPod } from './source-pod.ts';

/** The capture an intent is about, as the backend knows it. */
export const committedCapture = (intent: Intent): CommittedCapture => ({
  processes: intent.processes,
  stagingDirectory: intent.stagingDirectory,
});

/**
 * Deletes the very pod that was captured and sees that it is on its way out: a kubelet starts no container of such a pod again. One that is
 * gone, or that has a successor under its name, needs nothing.
 */
export async function deletePod(
  deps: Pick<OrderDeps, 'kube'>,
  content: PodSnapshotContent,
  signal: AbortSignal,
): Promise<void> {
  const uid = content.spec.source.podRef?.uid ?? '';
  const isLeaving = (pod: Pod | undefined): boolean =>
    pod?.metadata.uid !== uid || pod.metadata.deletionTimestamp !== undefined;
  const pod = await readPod(deps, content, signal);
  if (pod === undefined || isLeaving(pod)) return;
  try {
    // An agent may delete no other pod, and another order of this one may just have taken the label off.
    await addLabel(deps, content, pod, signal);
    await deps.kube.delete(podKeyOf(content), { uid }, signal);
  } catch (error) {
    // The precondition failed, or somebody was quicker: the next look says which.
    if (!isFailure(error, 'gone', 'conflict')) throw error;
  }
  if (isLeaving(await readPod(deps, content, signal))) return;
  throw new Failure('retry', 'PodStays', 'the source pod is not being deleted yet');
}

/** Ends the processes of a pod that is on its way out. A failure as long as they are seen to live: its kubelet ends them too. */
export async function endSource(
  deps: Pick<OrderDeps, 'backend' | 'announce'>,
  content: PodSnapshotContent,
  intent: Intent,
  signal: AbortSignal,
): Promise<void> {
  const { sourceRuns } = await deps.backend.decide(committedCapture(intent), 'end', signal);
  if (!sourceRuns) return;
  const note = 'the source has run on since it was captured; it ends with its pod';
  tellBoth(deps.announce, content, { type: 'Warning', reason: 'Finishing', note });
  throw new Failure('retry', 'SourceRuns', 'the source was to end and still runs');
}

/** Lets the source run on. The attempt is over and counts. */
export async function runSource(
  deps: Pick<OrderDeps, 'backend' | 'journal' | 'staging' | 'log'>,
  intent: Intent,
  signal: AbortSignal,
): Promise<void> {
  const { sourceRuns } = await deps.backend.decide(committedCapture(intent), 'run', signal);
  deps.log.warn({ contentUID: intent.contentUID, sourceRuns }, 'a source that was to end runs on');
  await markSettled(deps, intent, 'count');
}
