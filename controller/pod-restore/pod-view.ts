import { annotations, labels } from '../../core/api/names.ts';
import type { PodRestore } from '../../core/api/pod-restore.ts';
import { restoredCondition } from '../../core/api/restore.ts';
import { restoreProgressOf } from '../../core/api/restore-progress.ts';
import type { Pod } from '../../core/api/workload.ts';
import { shortHash } from '../source-job/short-hash.ts';
import type { RestoredPod } from './observed.ts';

/** A name of the API server's is at most this long, with a suffix of 9 characters. */
const longestPrefix = 244;

/** The pod's name: as asked for, or the same for the same PodRestore for ever, so that a second create can only meet the first. */
export function podNameOf({ metadata, spec, status }: PodRestore): string {
  const known = status.podName ?? spec.podName;
  if (known !== undefined) return known;
  const prefix = spec.snapshotName.slice(0, longestPrefix).replace(/[^a-z0-9]+$/, '');
  return `${prefix}-${shortHash(metadata.uid).slice(0, 8)}`;
}

/** By these the pod is known as this very PodRestore's, and leads back to it. */
export const marksOf = ({ metadata }: PodRestore) => ({
  labels: { [labels.restoreUID]: metadata.uid },
  annotations: { [annotations.restoreName]: metadata.name },
});

/** Made by this PodRestore: with the UID on record, or with its mark where there is none, or the pod is being replaced. */
export function isOurs(
  { metadata, status }: PodRestore,
  pod: Pod,
  step: { readonly mayBeReplaced: boolean },
): boolean {
  const isMarked = pod.metadata.labels[labels.restoreUID] === metadata.uid;
  if (status.podUID === undefined) return isMarked;
  return pod.metadata.uid === status.podUID || (step.mayBeReplaced && isMarked);
}

/** What pod status says of a restore; `maxAttempts` is what the PodRestore allows in all. */
export function viewPod(pod: Pod, maxAttempts: number): RestoredPod {
  const { metadata, status } = pod;
  const condition = status.conditions.find(({ type }) => type === restoredCondition);
  // Each pod is told how many attempts are left for it.
  const left = Number(metadata.annotations[annotations.restoreMaximumAttempts] ?? maxAttempts);
  const text = (value: unknown): string => (typeof value === 'string' ? value : '');
  return {
    pod,
    leaving: metadata.deletionTimestamp !== undefined,
    cold: metadata.annotations[annotations.startedCold] !== undefined,
    restored: condition?.status === 'True',
    reason: text(condition?.reason),
    message: text(condition?.message),
    progress: restoreProgressOf(pod),
    attemptsBefore: Number.isInteger(left) ? Math.max(0, maxAttempts - left) : 0,
    over: status.phase === 'Failed' || status.phase === 'Succeeded',
  };
}
