import { timestamp } from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import { apiVersion } from '../../core/api/names.ts';
import { parsePodSnapshot } from '../../core/api/pod-snapshot.ts';
import { parseSnapshotJob, type SnapshotJob } from '../../core/api/snapshot-job.ts';
import type { Clock } from '../../core/clock.ts';
import { Failure } from '../../core/failure.ts';
import type { EventRecorder } from '../../runtime/events.ts';
import type { Kube } from '../../runtime/kube-port.ts';
import type { Finding } from '../loop.ts';
import type { OwnWrites } from '../own-writes.ts';
import { parsedOrRetry } from '../read.ts';
import { cancelPodSnapshot, createSourceJob, deleteSourceJob } from '../source-job/effects.ts';
import type { ObservedSnapshotJob, SnapshotJobAction } from './observed.ts';
import { snapshotOfJob } from './snapshot-object.ts';
import { statusPatch } from './status-report.ts';

/** What the effects of SnapshotJobs write to. */
export type SnapshotJobTargets = {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly ownSnapshotJobs: OwnWrites<SnapshotJob>;
};

type Of<K extends SnapshotJobAction['do']> = Extract<SnapshotJobAction, { do: K }>;
type Effect<K extends SnapshotJobAction['do']> = (
  targets: SnapshotJobTargets,
  action: Of<K>,
  observed: ObservedSnapshotJob,
  signal: AbortSignal,
) => Promise<Finding<ObservedSnapshotJob>>;

/** What was made is a finding, so that its UID is on record at once and not only when a cache shows it. */
const createJob: Effect<'createJob'> = async (targets, _action, observed, signal) => {
  if (!observed.shaped.ok) throw new Failure('terminal', 'Unshaped', observed.shaped.message);
  const created = await createSourceJob(targets.kube, observed.shaped.job, signal);
  if (created.made === 'yes') return { job: { state: 'ours', object: created.job } };
  return created.made === 'never' ? { rejection: created.message } : { quota: created.message };
};

const createSnapshot: Effect<'createSnapshot'> = async (targets, action, observed, signal) => {
  const object = snapshotOfJob(observed.snapshotJob, action.pod);
  const raw = await targets.kube.create(kinds.podSnapshot, object, { dryRun: false }, signal);
  return { snapshot: { state: 'ours', object: parsedOrRetry(parsePodSnapshot(raw)) } };
};

const deleteJob: Effect<'deleteJob'> = async (targets, action, observed, signal) => {
  const namespace = observed.snapshotJob.metadata.namespace ?? '';
  await deleteSourceJob(targets.kube, { ...action, namespace }, signal);
  return undefined;
};

const cancelSnapshot: Effect<'cancelSnapshot'> = async (targets, action, _observed, signal) => {
  await cancelPodSnapshot(targets.kube, action.snapshot, signal);
  return undefined;
};

const report: Effect<'report'> = async (targets, action, { snapshotJob }, signal) => {
  const now = timestamp(targets.clock.wallMilliseconds());
  const status = statusPatch(snapshotJob, action.report, now);
  if (status === undefined) return undefined;
  const { name, namespace = '', resourceVersion, uid } = snapshotJob.metadata;
  const body = { metadata: { resourceVersion }, status };
  const key = { kind: kinds.snapshotJob, namespace, name };
  const raw = await targets.kube.patch(key, 'status', { type: 'merge', body }, signal);
  const written = parseSnapshotJob(raw);
  if (written.ok) targets.ownSnapshotJobs.remember(snapshotJob, written.value);
  if (action.event !== undefined) {
    targets.events.record({
      regarding: { kind: 'SnapshotJob', apiVersion, namespace, name, uid },
      action: action.report.to,
      ...action.event,
    });
  }
  return undefined;
};

/** Performs one action of a SnapshotJob. Each is harmless when repeated. */
export function performSnapshotJobAction(
  targets: SnapshotJobTargets,
  action: SnapshotJobAction,
  observed: ObservedSnapshotJob,
  signal: AbortSignal,
): Promise<Finding<ObservedSnapshotJob>> {
  switch (action.do) {
    case 'createJob':
      return createJob(targets, action, observed, signal);
    case 'createSnapshot':
      return createSnapshot(targets, action, observed, signal);
    case 'deleteJob':
      return deleteJob(targets, action, observed, signal);
    case 'cancelSnapshot':
      return cancelSnapshot(targets, action, observed, signal);
    case 'report':
      return report(targets, action, observed, signal);
  }
}
