import { type Conditions, findCondition, isTrue } from '../../core/api/conditions.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { isFailureReason } from '../../core/api/reasons.ts';
import type { Outcome, SnapshotPhase } from './observed.ts';

/** How conditions end. A Ready that became False with a failure's reason (bytes found gone) counts as failed. */
export function outcomeOf(conditions: Conditions): Outcome {
  if (isTrue(conditions, 'Failed')) return 'failed';
  const ready = findCondition(conditions, 'Ready');
  if (ready?.status === 'True') return 'ready';
  return ready?.status === 'False' && isFailureReason(ready.reason) ? 'failed' : 'open';
}

const phaseByOutcome = { open: 'Bound', ready: 'Captured', failed: 'Failed' } as const;

/** The phase of a snapshot. A terminal one is never left, whatever the content says later. */
export function phaseOf({ metadata, status }: PodSnapshot): SnapshotPhase {
  if (metadata.deletionTimestamp !== undefined) return 'Deleting';
  const outcome = outcomeOf(status.conditions);
  if (outcome === 'open' && status.boundSnapshotContentName === undefined) return 'Unbound';
  return phaseByOutcome[outcome];
}

/** The back-link of a content names this incarnation of the snapshot; an administrator's content may leave the UID open. */
export function isBackLinked(content: PodSnapshotContent, snapshot: PodSnapshot): boolean {
  const { namespace, name, uid } = content.spec.snapshotRef;
  if (namespace !== snapshot.metadata.namespace || name !== snapshot.metadata.name) return false;
  if (uid === undefined) return content.spec.source.artifact !== undefined;
  return uid === snapshot.metadata.uid;
}
