import { timestamp } from '../../core/api/conditions.ts';
import { type DynamoCheckpoint, parseDynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import { kinds } from '../../core/api/kinds.ts';
import { apiVersion } from '../../core/api/names.ts';
import type { Clock } from '../../core/clock.ts';
import { Failure } from '../../core/failure.ts';
import type { EventRecorder } from '../../runtime/events.ts';
import type { Kube } from '../../runtime/kube-port.ts';
import type { Finding } from '../loop.ts';
import type { OwnWrites } from '../own-writes.ts';
import { cancelPodSnapshot, createSourceJob, deleteSourceJob } from '../source-job/effects.ts';
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

const createJob: Effect<'createJob'> = async (targets, _action, observed, signal) => {
  if (!observed.shaped.ok) throw new Failure('terminal', 'Unshaped', observed.shaped.message);
  const created = await createSourceJob(targets.kube, observed.shaped.job, signal);
  if (created.made === 'yes') return undefined;
  return created.made === 'never' ? { rejection: created.message } : { quota: created.message };
};

const deleteJob: Effect<'deleteJob'> = async (targets, action, observed, signal) => {
  const namespace = observed.checkpoint.metadata.namespace ?? '';
  await deleteSourceJob(targets.kube, { ...action, namespace }, signal);
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
  await cancelPodSnapshot(targets.kube, action.snapshot, signal);
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
