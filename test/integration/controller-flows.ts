import { isTrue } from '../../core/api/conditions.ts';
import { type Kind, kinds } from '../../core/api/kinds.ts';
import { extensionApiVersion } from '../../core/api/names.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { checkpointOf, snapshotOf } from './controller-objects.ts';
import type { Manners, Seen, SimulatedCluster } from './simulated-cluster.ts';

/** One course of events in a namespace of its own: what is asked for, how the others behave, and when it is over. */
export type Flow = Manners & {
  readonly name: string;
  readonly kind: Kind;
  readonly manifest: RawObject;
  readonly isOver: (seen: Seen) => boolean;
  /** Where time alone decides how far it comes: only the verdict is compared. */
  readonly onlyVerdict?: true;
  /** A state is told only once it has lasted: on a slow machine that is a write more, in peace or under a fault. */
  readonly tellsWhatLasts?: true;
};

const always = (): boolean => true;
const never = (): boolean => false;
const nobody: Manners['user'] = async () => {};
const isReady = ({ snapshots }: Seen): boolean =>
  snapshots.some(({ status }) => isTrue(status.conditions, 'Ready'));
const isBound = ({ snapshots }: Seen): boolean =>
  snapshots.some(({ status }) => status.boundSnapshotContentName !== undefined);
const hasFailed = ({ snapshots }: Seen): boolean =>
  snapshots.some(({ status }) => isTrue(status.conditions, 'Failed'));
const isEmpty = ({ contents, snapshots }: Seen): boolean =>
  contents.length === 0 && snapshots.length === 0;
const isCheckpointed = ({ checkpoints, jobs }: Seen): boolean =>
  checkpoints.some(({ status }) => status.phase === 'Ready') && jobs.length === 0;

const snapshot = (spec: RawObject = {}): RawObject => snapshotOf('one', { name: 'web' }, spec);
const asksFor = (manifest: RawObject) => ({ kind: kinds.podSnapshot, manifest });
/** Deletions are asked for once the snapshot is `when`, and a thing deleted is deleted once. */
const deletesWhen =
  (when: (seen: Seen) => boolean): Manners['user'] =>
  async (seen, { remove }) => {
    const isLeaving = seen.snapshots.some(
      ({ metadata }) => metadata.deletionTimestamp !== undefined,
    );
    if (when(seen) && !isLeaving) await remove(kinds.podSnapshot, 'one');
  };

/** Asked for once the snapshot is Ready, so that the same writes are made each time. */
const restoresOnce =
  (spec: RawObject): Manners['user'] =>
  async (seen, { create }) => {
    const [snapshot] = seen.snapshots;
    if (!isReady(seen) || seen.podRestores.length > 0 || snapshot === undefined) return;
    const { namespace } = snapshot.metadata;
    await create(kinds.podRestore, {
      apiVersion: extensionApiVersion,
      kind: 'PodRestore',
      metadata: { name: 'again', namespace },
      spec: { snapshotName: 'one', podName: 'again', maxAttempts: 1, ...spec },
    });
  };
const isAt =
  (phase: string) =>
  ({ podRestores }: Seen): boolean =>
    podRestores.some(({ status }) => status.phase === phase);

/** The courses that matter, each to its end. */
export const flows: readonly Flow[] = [
  {
    ...{ name: 'checkpoint', kind: kinds.dynamoCheckpoint, manifest: checkpointOf('one') },
    ...{ captures: always, firstJobFails: false, user: nobody },
    isOver: isCheckpointed,
  },
  {
    ...{ name: 'retry', kind: kinds.dynamoCheckpoint },
    manifest: checkpointOf('one', { backoffLimit: 1 }),
    ...{ captures: always, firstJobFails: true, user: nobody },
    isOver: isCheckpointed,
  },
  {
    ...{ name: 'snapshot', ...asksFor(snapshot()) },
    ...{ captures: always, firstJobFails: false, user: nobody },
    isOver: isReady,
  },
  {
    ...{ name: 'cancel', ...asksFor(snapshot()), captures: never, firstJobFails: false },
    user: async (seen, { patch }) => {
      const isAsked = seen.snapshots.some(({ spec }) => spec.cancel);
      if (isBound(seen) && !isAsked) {
        await patch(kinds.podSnapshot, 'one', { spec: { cancel: true } });
      }
    },
    isOver: hasFailed,
  },
  {
    ...{ name: 'deadline', ...asksFor(snapshot({ deadlineSeconds: 5 })) },
    ...{ captures: never, firstJobFails: false, user: nobody },
    onlyVerdict: true,
    isOver: hasFailed,
  },
  {
    ...{ name: 'deletion', ...asksFor(snapshot()), captures: always, firstJobFails: false },
    user: deletesWhen(isReady),
    isOver: isEmpty,
  },
  {
    ...{ name: 'deletion-under-way', ...asksFor(snapshot()) },
    ...{ captures: never, firstJobFails: false },
    user: deletesWhen(isBound),
    isOver: isEmpty,
  },
  {
    ...{ name: 'snapshot-job', kind: kinds.snapshotJob, firstJobFails: false },
    manifest: {
      metadata: { name: 'one' },
      spec: {
        podTemplate: { spec: { containers: [{ name: 'main', image: 'sample' }] } },
        podSnapshotTemplate: {},
      },
    },
    // Not before Running stands there, so that the same writes are made each time.
    captures: ({ snapshotJobs }) =>
      snapshotJobs.some(({ status }) => isTrue(status.conditions, 'Running')),
    user: nobody,
    isOver: ({ jobs, snapshotJobs }) =>
      jobs.length === 0 &&
      snapshotJobs.some(({ status }) => isTrue(status.conditions, 'Completed')),
  },
  {
    ...{ name: 'restore', ...asksFor(snapshot()), captures: always, firstJobFails: false },
    restores: 'RestoreSucceeded',
    tellsWhatLasts: true,
    user: restoresOnce({}),
    isOver: isAt('Restored'),
  },
  {
    ...{ name: 'restore-failed', ...asksFor(snapshot()), captures: always, firstJobFails: false },
    restores: 'RestoreFailed',
    tellsWhatLasts: true,
    user: restoresOnce({}),
    isOver: isAt('Failed'),
  },
  {
    ...{ name: 'restore-cold', ...asksFor(snapshot()), captures: always, firstJobFails: false },
    restores: 'RestoreFailed',
    tellsWhatLasts: true,
    user: restoresOnce({ onFailure: 'ColdStart' }),
    isOver: isAt('StartedCold'),
  },
];

type Conditions = Seen['snapshots'][number]['status']['conditions'];
const inShort = (conditions: Conditions): readonly string[] =>
  conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`).toSorted();

/** What must be the same whatever happened on the way: everything but names, UIDs, times and messages. */
export function endOf(
  cluster: SimulatedCluster,
  { onlyVerdict }: Flow,
  namespace: string,
): RawObject {
  const seen = cluster.see(namespace);
  if (onlyVerdict)
    return { verdict: seen.snapshots.map(({ status }) => inShort(status.conditions)) };
  const { checkpoints, contents, jobs, podRestores, restorePods, snapshotJobs, snapshots } = seen;
  const ever = (kind: string): number => cluster.ever.get(`${namespace} ${kind}`)?.size ?? 0;
  return {
    checkpoints: checkpoints.map(({ status }) => [
      status.phase,
      status.jobName?.endsWith('-r1') === true ? 'second' : 'first',
      status.podSnapshotName,
      ...inShort(status.conditions),
    ]),
    snapshotJobs: snapshotJobs.map(({ status }) => inShort(status.conditions)),
    snapshots: snapshots.map(({ metadata, status }) => [
      metadata.name,
      status.stage,
      status.boundSnapshotContentName === undefined ? 'unbound' : 'bound',
      status.artifact?.digest,
      ...inShort(status.conditions),
    ]),
    contents: contents.map(({ metadata, spec, status }) => [
      ...[status.stage, spec.cancel, metadata.deletionTimestamp !== undefined],
      ...inShort(status.conditions),
    ]),
    podRestores: podRestores.map(({ status }) => [
      ...[status.phase, status.podName, status.podUID === restorePods[0]?.metadata.uid],
      ...inShort(status.conditions),
    ]),
    restorePods: restorePods.map(({ metadata }) => metadata.name),
    jobs: jobs.length,
    everMade: ['Job', 'PodSnapshot', 'PodSnapshotContent'].map(ever),
    restorePodsEverMade: ever('Pod'),
  };
}
