import { findCondition, isTrue } from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import type { PodRestore } from '../../core/api/pod-restore.ts';
import { type PodSnapshot, parsePodSnapshot } from '../../core/api/pod-snapshot.ts';
import { cacheKey } from '../../runtime/raw-object.ts';
import { read } from '../read.ts';
import { outcomeOf } from '../snapshot/outcome.ts';
import type { PodRestoreSources } from './observe.ts';
import type { PodRestoreStep, SnapshotSight } from './observed.ts';

/** The snapshot in the restore's own namespace, of the UID on record once there is one. */
export async function sightSnapshot(
  { kube, snapshots }: Pick<PodRestoreSources, 'kube' | 'snapshots'>,
  restore: PodRestore,
  step: PodRestoreStep,
  signal: AbortSignal,
): Promise<SnapshotSight> {
  const { namespace = '' } = restore.metadata;
  const name = restore.spec.snapshotName;
  const pinned = restore.status.snapshotUID;
  const isCurrent = ({ metadata }: PodSnapshot): boolean =>
    metadata.deletionTimestamp === undefined && (pinned ?? metadata.uid) === metadata.uid;
  const cached = snapshots.get(cacheKey(namespace, name));
  const shown = cached !== undefined && isCurrent(cached) ? viewSnapshot(cached) : undefined;
  // Only what leaves everything as it is may come from a cache that lags behind.
  if (shown?.state === (step === 'New' ? 'pending' : 'ready')) return shown;
  const key = { kind: kinds.podSnapshot, namespace, name };
  const snapshot = await read(kube, key, parsePodSnapshot, signal);
  if (snapshot === undefined) {
    return { state: 'missing', message: `PodSnapshot ${name} does not exist.` };
  }
  if (pinned !== undefined && snapshot.metadata.uid !== pinned) return { state: 'replaced' };
  if (snapshot.metadata.deletionTimestamp !== undefined) {
    return { state: 'missing', message: `PodSnapshot ${name} is being deleted.` };
  }
  return viewSnapshot(snapshot);
}

function viewSnapshot({ metadata, status }: PodSnapshot): SnapshotSight {
  const { name, uid } = metadata;
  const { boundSnapshotContentName, conditions } = status;
  if (outcomeOf(conditions) === 'failed') {
    const failed = findCondition(conditions, isTrue(conditions, 'Failed') ? 'Failed' : 'Ready');
    const message = `PodSnapshot ${name} failed (${failed?.reason}): ${failed?.message}`;
    return { state: 'failed', message };
  }
  if (outcomeOf(conditions) === 'ready' && boundSnapshotContentName !== undefined) {
    return { state: 'ready', uid, contentName: boundSnapshotContentName };
  }
  const said = findCondition(conditions, 'Progressing')?.message ?? '';
  return { state: 'pending', message: `PodSnapshot ${name} is not Ready yet. ${said}`.trim() };
}
