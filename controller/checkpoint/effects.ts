import { timestamp } from '../../core/api/conditions.ts';
import { type DynamoCheckpoint, parseDynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import { kinds } from '../../core/api/kinds.ts';
import { apiVersion } from '../../core/api/names.ts';
import type { Clock } from '../../core/clock.ts';
import { Failure, isFailure } from '../../core/failure.ts';
import type { EventRecorder } from '../../runtime/events.ts';
import type { Kube } from '../../runtime/kube-port.ts';
import type { Finding } from '../loop.ts';
import type { OwnWrites } from '../own-writes.ts';
import type { CheckpointAction, ObservedCheckpoint } from './observed.ts';
import { snapshotObject } from './snapshot-object.ts';
import { statusPatch } from './status-report.ts';

/** What the effects of checkpoints write to. */
export type CheckpointTargets = {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly ownCheckpoints: OwnWrites<DynamoCheckpoint>;
};

type Of<K extends CheckpointAction['do']> = Extract<CheckpointAction, { do: K }>;
type Effect<K extends CheckpointAction['do']> = (
  targets: CheckpointTargets,
  action: Of<K>,
  observed: ObservedCheckpoint,
  signal: AbortSignal,
) => Promise<Finding<ObservedCheckpoint>>;

/** A quota frees up again; every other refusal of a Job stands until somebody changes the checkpoint. */
function isRejection(error: unknown): error is Failure {
  return isFailure(error, 'terminal') && !error.message.includes('exceeded quota');
}

const createJob: Effect<'createJob'> = async (targets, _action, observed, signal) => {
  if (!observed.shaped.ok) throw new Failure('terminal', 'Unshaped', observed.shaped.message);
  try {
    await targets.kube.create(kinds.job, observed.shaped.job, { dryRun: false }, signal);
    return undefined;
  } catch (error) {
    if (isRejection(error)) return { rejection: error.message };
    throw error;
  }
};

const deleteJob: Effect<'deleteJob'> = async (targets, action, observed, signal) => {
  const namespace = observed.checkpoint.metadata.namespace ?? '';
  const key = { kind: kinds.job, namespace, name: action.name };
  try {
    await targets.kube.delete(key, { uid: action.uid }, signal);
  } catch (error) {
    // Conflict: another Job has the name by now. Either way this one is gone.
    if (!isFailure(error, 'gone', 'conflict')) throw error;
  }
  return undefined;
};

const createSnapshot: Effect<'createSnapshot'> = async (targets, action, observed, signal) => {
  const names = {
    snapshot: observed.snapshotName,
    checkpointID: observed.ids.checkpointID,
    jobUID: action.jobUID,
  };
  const object = snapshotObject(observed.checkpoint, names, action.pod);
  await targets.kube.create(kinds.podSnapshot, object, { dryRun: false }, signal);
  return undefined;
};

const cancelSnapshot: Effect<'cancelSnapshot'> = async (targets, action, _observed, signal) => {
  const { name, namespace = '', resourceVersion } = action.snapshot.metadata;
  if (action.snapshot.spec.cancel) return undefined;
  const body = { metadata: { resourceVersion }, spec: { cancel: true } };
  const key = { kind: kinds.podSnapshot, namespace, name };
  try {
    // Optimistic: if the snapshot moved meanwhile it may be Ready by now, and Ready wins.
    await targets.kube.patch(key, '', { type: 'merge', body }, signal);
  } catch (error) {
    if (!isFailure(error, 'gone')) throw error;
  }
  return undefined;
};

const report: Effect<'report'> = async (targets, action, observed, signal) => {
  const { checkpoint, ids } = observed;
  const now = timestamp(targets.clock.wallMilliseconds());
  const status = statusPatch(checkpoint, ids, action.report, now);
  if (status === undefined) return undefined;
  const { name, namespace = '', resourceVersion, uid } = checkpoint.metadata;
  const body = { metadata: { resourceVersion }, status };
  const key = { kind: kinds.dynamoCheckpoint, namespace, name };
  const raw = await targets.kube.patch(key, 'status', { type: 'merge', body }, signal);
  const written = parseDynamoCheckpoint(raw);
  if (written.ok) targets.ownCheckpoints.remember(checkpoint, written.value);
  if (action.event !== undefined) {
    targets.events.record({
      regarding: { kind: 'DynamoCheckpoint', apiVersion, namespace, name, uid },
      action: action.report.to,
      ...action.event,
    });
  }
  return undefined;
};

/** Performs one action of a checkpoint. Each is harmless when repeated. */
export function performCheckpointAction(
  targets: CheckpointTargets,
  action: CheckpointAction,
  observed: ObservedCheckpoint,
  signal: AbortSignal,
): Promise<Finding<ObservedCheckpoint>> {
  switch (action.do) {
    case 'createJob':
      return createJob(targets, action, observed, signal);
    case 'deleteJob':
      return deleteJob(targets, action, observed, signal);
    case 'createSnapshot':
      return createSnapshot(targets, action, observed, signal);
    case 'cancelSnapshot':
      return cancelSnapshot(targets, action, observed, signal);
    case 'report':
      return report(targets, action, observed, signal);
  }
}
