import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide, rules } from '../../../../controller/checkpoint/decide.ts';
import { attemptOf } from '../../../../controller/checkpoint/observe.ts';
import type { ObservedCheckpoint } from '../../../../controller/checkpoint/observed.ts';
import { shapeJob } from '../../../../controller/checkpoint/shape-job.ts';
import { checkpointPhases, parseDynamoCheckpoint } from '../../../../core/api/dynamo-checkpoint.ts';
import type { Parsed } from '../../../../core/api/metadata.ts';
import { checkpointJobName } from '../../../../core/api/names.ts';
import { parsePodSnapshot } from '../../../../core/api/pod-snapshot.ts';
import { parseJob, parsePod } from '../../../../core/api/workload.ts';
import { capturedStatus, checkpointManifest, failedStatus } from '../support/cluster.ts';

function made<T>(parsed: Parsed<T>): T {
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

const jobWith = (condition: string | undefined) =>
  made(
    parseJob({
      metadata: { name: 'job', uid: 'job-1' },
      status: condition === undefined ? {} : { conditions: [{ type: condition, status: 'True' }] },
    }),
  );

const snapshotWith = (status: object) =>
  made(
    parsePodSnapshot({
      metadata: { name: 'counter', namespace: 'default' },
      spec: { source: { contentName: 'x' } },
      status,
    }),
  );

const others = [
  { state: 'unread' },
  { state: 'missing' },
  { state: 'foreign', name: 'x', leaving: true },
  { state: 'foreign', name: 'x', leaving: false },
] as const;

const job = fc.constantFrom<ObservedCheckpoint['job']>(
  ...others,
  { state: 'ours', object: jobWith(undefined) },
  { state: 'ours', object: jobWith('Failed') },
  { state: 'ours', object: jobWith('Complete') },
);

const snapshot = fc.constantFrom<ObservedCheckpoint['snapshot']>(
  ...others,
  { state: 'ours', object: snapshotWith({}) },
  { state: 'ours', object: snapshotWith(capturedStatus) },
  { state: 'ours', object: snapshotWith(failedStatus('CheckpointFailed', 'no')) },
  { state: 'ours', object: snapshotWith(failedStatus('PreflightFailed', 'no')) },
);

const pod = made(parsePod({ metadata: { name: 'pod', uid: 'pod-1' }, spec: {} }));

const observed: fc.Arbitrary<ObservedCheckpoint> = fc
  .record({
    phase: fc.constantFrom(...checkpointPhases),
    deleting: fc.boolean(),
    backoffLimit: fc.constantFrom(undefined, 0, 1, 2),
    ttl: fc.constantFrom(undefined, 60),
    target: fc.constantFrom('main', 'absent'),
    recorded: fc.constantFrom(undefined, 'counter'),
    attempt: fc.constantFrom(0, 1, 2),
    older: fc.constantFrom(undefined, 'first'),
    job,
    snapshot,
    pod: fc.constantFrom(undefined, pod),
    leftoverJobs: fc.constantFrom([], [jobWith(undefined)]),
    sinceReadyMilliseconds: fc.constantFrom(0, 20_000),
    rejection: fc.constantFrom(undefined, 'no such field'),
    quota: fc.constantFrom(undefined, 'exceeded quota'),
    snapshotAgeMilliseconds: fc.constantFrom(0, 30_000),
  })
  .map(({ backoffLimit, ttl, target, recorded, ...rest }) => {
    const limits = {
      targetContainerName: target,
      ...(backoffLimit === undefined ? {} : { backoffLimit }),
      ...(ttl === undefined ? {} : { ttlSecondsAfterFinished: ttl }),
    };
    const checkpoint = made(
      parseDynamoCheckpoint({
        ...checkpointManifest('counter', limits),
        status: recorded === undefined ? {} : { podSnapshotName: recorded },
      }),
    );
    return {
      ...rest,
      checkpoint,
      ids: { checkpointID: 'abc' },
      jobName: checkpointJobName('abc', rest.attempt),
      snapshotName: 'counter',
      shaped: shapeJob(checkpoint, 'abc', rest.attempt, 'init'),
    };
  });

const always = (property: (one: ObservedCheckpoint) => boolean): void =>
  fc.assert(fc.property(observed, property), { numRuns: 2_000 });

const reportOf = (one: ObservedCheckpoint) =>
  decide(one).actions.flatMap((action) => (action.do === 'report' ? [action.report] : []))[0];

const isReady = ({ snapshot: one }: ObservedCheckpoint): boolean =>
  one.state === 'ours' && one.object.status.stage === 'Captured';

describe('the rules for a checkpoint', () => {
  it('cover every phase', () => {
    expect(Object.keys(rules).toSorted()).toEqual([...checkpointPhases].toSorted());
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

  it('report nothing new about one that has ended, but that the snapshot of a Ready one is lost', () => {
    always((one) => {
      if (one.phase !== 'Ready' && one.phase !== 'Failed') return true;
      const report = reportOf(one);
      if (report === undefined) return true;
      const { snapshot: seen } = one;
      const isLost =
        seen.state === 'missing' ||
        (seen.state === 'ours' && seen.object.status.stage === 'Failed');
      return one.phase === 'Ready' && report.to === 'Failed' && isLost;
    });
  });

  it('let Ready win over everything that a Job may say', () => {
    always(
      (one) =>
        one.phase !== 'Creating' || one.deleting || !isReady(one) || reportOf(one)?.to === 'Ready',
    );
  });

  it('never say Ready without a Ready snapshot', () => {
    always((one) => reportOf(one)?.to !== 'Ready' || isReady(one));
  });

  it('make at most as many Jobs as the back-off limit allows besides the first', () => {
    always((one) => {
      const report = reportOf(one);
      if (report?.to !== 'Retry') return true;
      const next = attemptOf(report.jobName, 'abc');
      return next === one.attempt + 1 && next <= (one.checkpoint.spec.job.backoffLimit ?? 0);
    });
  });

  it('create a Job only where the API server says that there is none, of a template that has the target', () => {
    always((one) => {
      if (!decide(one).actions.some((action) => action.do === 'createJob')) return true;
      return one.phase === 'Pending' && one.shaped.ok && one.job.state !== 'ours';
    });
  });

  it('delete no Job with a TTL after the end, and none within the grace of one that still runs', () => {
    always((one) => {
      if (!decide(one).actions.some((action) => action.do === 'deleteJob')) return true;
      if (one.phase === 'Pending') return true;
      const kept = one.checkpoint.spec.job.ttlSecondsAfterFinished !== undefined;
      return !kept && (one.phase === 'Failed' || one.sinceReadyMilliseconds >= 10_000);
    });
  });
});

describe('the attempt of a Job name', () => {
  it.each([
    [undefined, 0],
    ['checkpoint-job-abc-1', 0],
    ['checkpoint-job-abc-1-r3', 3],
    ['checkpoint-job-abc-1-rx', 0],
    ['checkpoint-job-other-1-r3', 0],
  ])('%s is %i', (name, attempt) => {
    expect(attemptOf(name, 'abc')).toBe(attempt);
  });
});
