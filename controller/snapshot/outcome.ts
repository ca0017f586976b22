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

/**
 * How a content is tied to a snapshot. `claimed`: its back-link names this incarnation. `offered`: an administrator made or re-bound it for a
 * snapshot of this name, which names it in turn; whoever binds it enters the UID first.
 */
export type Tie = 'claimed' | 'offered' | 'none';

/** See Tie. */
export function tieOf(content: PodSnapshotContent, snapshot: PodSnapshot): Tie {
  const { namespace, name, uid } = content.spec.snapshotRef;
  if (namespace !== snapshot.metadata.namespace || name !== snapshot.metadata.name) return 'none';
  if (uid !== undefined) return uid === snapshot.metadata.uid ? 'claimed' : 'none';
  return snapshot.spec.source.contentName === content.metadata.name ? 'offered' : 'none';
}
