import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, rules } from '../../../../controller/snapshot-job/decide.ts';
import {
  type ObservedSnapshotJob,
  snapshotJobPhases,
} from '../../../../controller/snapshot-job/observed.ts';
import { shapeSnapshotJob } from '../../../../controller/snapshot-job/shape-job.ts';
import type { Parsed } from '../../../../core/api/metadata.ts';
import { parsePodSnapshot } from '../../../../core/api/pod-snapshot.ts';
import { parseSnapshotJob } from '../../../../core/api/snapshot-job.ts';
import { parseJob, parsePod } from '../../../../core/api/workload.ts';
import { capturedStatus, failedStatus, snapshotJobManifest } from '../support/cluster.ts';

function made<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

const jobWith = (condition: string | undefined, ready = 0) => ({
  state: 'ours' as const,
  object: made(
    parseJob({
      metadata: { name: 'once', uid: 'job-1' },
      status: {
        ready,
        conditions: condition === undefined ? [] : [{ type: condition, status: 'True' }],
      },
    }),
  ),
});

const snapshotWith = (status: object, cancel: boolean) => ({
  state: 'ours' as const,
  object: made(
    parsePodSnapshot({
      metadata: { name: 'once', namespace: 'default', uid: 'snapshot-1' },
      spec: { source: { contentName: 'x' }, cancel },
      status,
    }),
  ),
});

const others = [
  { state: 'unread' },
  { state: 'missing' },
  { state: 'foreign', name: 'once', leaving: true },
  { state: 'foreign', name: 'once', leaving: false },
] as const;

const pod = made(parsePod({ metadata: { name: 'pod', uid: 'pod-1' }, spec: {} }));
const snapshotJob = made(parseSnapshotJob(snapshotJobManifest('once')));

const observed: fc.Arbitrary<ObservedSnapshotJob> = fc.record({
  phase: fc.constantFrom(...snapshotJobPhases),
  deleting: fc.boolean(),
  snapshotJob: fc.constantFrom(snapshotJob, {
    ...snapshotJob,
    status: { ...snapshotJob.status, sourceJobUID: 'job-1' },
  }),
  shaped: fc.constantFrom(shapeSnapshotJob(snapshotJob, 'init'), {
    ok: false as const,
    message: 'no template',
  }),
  job: fc.constantFrom<ObservedSnapshotJob['job']>(
    ...others,
    jobWith(undefined),
    jobWith(undefined, 1),
    jobWith('Failed'),
    jobWith('Complete'),
  ),
  snapshot: fc.constantFrom<ObservedSnapshotJob['snapshot']>(
    ...others,
    snapshotWith({}, false),
    snapshotWith({}, true),
    snapshotWith(capturedStatus, true),
    snapshotWith(failedStatus('CheckpointFailed', 'no'), false),
    snapshotWith(failedStatus('SourcePodGone', 'no'), false),
    snapshotWith(failedStatus('Cancelled', 'no'), true),
  ),
  pod: fc.constantFrom(undefined, pod),
  leftMilliseconds: fc.constantFrom(undefined, -1, 500, 9e12),
  sinceCompletedMilliseconds: fc.constantFrom(0, 20_000),
  sinceSnapshotFailedMilliseconds: fc.constantFrom(0, 40_000),
  rejection: fc.constantFrom(undefined, 'no such field'),
  quota: fc.constantFrom(undefined, 'exceeded quota'),
  snapshotAgeMilliseconds: fc.constantFrom(0, 30_000),
});

const always = (property: (one: ObservedSnapshotJob) => boolean): void =>
  fc.assert(fc.property(observed, property), { numRuns: 3_000 });

const reportOf = (one: ObservedSnapshotJob) =>
  decide(one).actions.flatMap((action) => (action.do === 'report' ? [action.report] : []))[0];
const does = (one: ObservedSnapshotJob, what: string): boolean =>
  decide(one).actions.some((action) => action.do === what);
const isReady = ({ snapshot }: ObservedSnapshotJob): boolean =>
  snapshot.state === 'ours' && snapshot.object.status.stage === 'Captured';

describe('the rules for a SnapshotJob', () => {
  it('cover every phase', () => {
    expect(Object.keys(rules).toSorted()).toEqual([...snapshotJobPhases].toSorted());
  });

  it('are total, and give the same answer twice', () => {
    always((one) => {
      const first = JSON.stringify(decide(one));
      return JSON.stringify(decide(one)) === first;
    });
  });

  it('leave one alone that is being deleted', () => {
    always((one) => !one.deleting || decide(one).actions.length === 0);
  });

  it('of one that has failed delete a Job that is not on record, and do nothing else', () => {
    always((one) => {
      if (one.deleting || one.phase !== 'Failed') return true;
      const { actions } = decide(one);
      const isOnRecord =
        one.job.state === 'ours' &&
        one.job.object.metadata.uid === one.snapshotJob.status.sourceJobUID;
      return actions.every(({ do: what }) => what === 'deleteJob' && !isOnRecord);
    });
  });

  it('report nothing new about one that is Completed', () => {
    always((one) => one.phase !== 'Completed' || reportOf(one) === undefined);
  });

  it('say Completed when the snapshot is Ready, whatever the Job says, and never otherwise', () => {
    always((one) => {
      const isDue = one.phase === 'Capturing' && !one.deleting && isReady(one);
      return (reportOf(one)?.to === 'Completed') === isDue;
    });
  });

  it('never end a capture under way before its snapshot has ended', () => {
    always((one) => {
      if (one.phase !== 'Capturing' || reportOf(one)?.to !== 'Failed') return true;
      return one.snapshot.state !== 'ours' || one.snapshot.object.status.stage === 'Failed';
    });
  });

  it('create a Job only for a new one, of a good template, with both names free', () => {
    always((one) => {
      if (!does(one, 'createJob')) return true;
      const isFree = one.job.state !== 'foreign' && one.snapshot.state !== 'foreign';
      return one.phase === 'New' && one.shaped.ok && one.rejection === undefined && isFree;
    });
  });

  it('create a snapshot only of a pod whose Job is ours and goes on', () => {
    always((one) => {
      if (!does(one, 'createSnapshot')) return true;
      return one.phase === 'Started' && one.pod !== undefined && one.snapshot.state !== 'foreign';
    });
  });

  it('delete the Job of a Completed one alone, and not within the grace of one that still runs', () => {
    always((one) => {
      if (!does(one, 'deleteJob') || one.phase === 'Failed') return true;
      const isOver = one.job.state === 'ours' && one.job.object.status.conditions.length > 0;
      return one.phase === 'Completed' && (isOver || one.sinceCompletedMilliseconds >= 10_000);
    });
  });

  it('wait for the Job to say why its pod ended, and not for ever', () => {
    always((one) => {
      const report = reportOf(one);
      if (one.phase !== 'Capturing' || report?.to !== 'Failed') return true;
      const isSourceGone = JSON.stringify(one.snapshot).includes('SourcePodGone');
      const isBare = report.reason === 'CaptureFailed' && isSourceGone;
      return !isBare || one.sinceSnapshotFailedMilliseconds >= 30_000;
    });
    always((one) => {
      const isFailed =
        one.snapshot.state === 'ours' && one.snapshot.object.status.stage === 'Failed';
      const isDue = one.phase === 'Capturing' && !one.deleting && isFailed;
      return !isDue || one.sinceSnapshotFailedMilliseconds === 0 || reportOf(one)?.to === 'Failed';
    });
  });

  it('come back within thirty seconds while a source runs, however far the deadline is', () => {
    always((one) => (decide(one).againAfterMilliseconds ?? 0) <= 30_000);
  });
});
