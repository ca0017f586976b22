import { describe, expect, it } from 'vitest';
import { findCondition, isTrue } from '../../../../core/api/conditions.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import { finalizers, labels } from '../../../../core/api/names.ts';
import { agentsAct, jobsAct, snapshotJobManifest } from '../support/cluster.ts';
import {
  capturing,
  conditionsOf,
  failure,
  inShort,
  jobEnds,
  worldWith,
} from '../support/one-snapshot-job.ts';

const never = new AbortController().signal;

describe('a SnapshotJob', () => {
  it('creates one Job of its name that it owns, and has its UID on record', async () => {
    const world = await worldWith({ activeDeadlineSeconds: 77 });
    const [job] = world.kube.all(kinds.job);
    const owner = world.snapshotJob('once');
    expect(world.jobs.list()).toHaveLength(1);
    expect(job).toMatchObject({
      metadata: { name: 'once', ownerReferences: [{ kind: 'SnapshotJob', controller: true }] },
      spec: { backoffLimit: 0, activeDeadlineSeconds: 77 },
    });
    expect(owner?.status.sourceJobUID).toBe(world.jobs.list()[0]?.metadata.uid);
    expect(inShort(world)).toEqual({
      Running: 'False/PodPending',
      Ready: 'False/Pending',
      Progressing: 'True/WaitingForSchedule',
    });
  });

  it('captures the pod in a snapshot of its name, pinned, labelled and not owned', async () => {
    const world = await capturing({ activeDeadlineSeconds: 77 });
    const snapshot = world.snapshot('once');
    const pod = world.pods.list()[0]?.metadata;
    expect(snapshot?.spec).toMatchObject({
      source: { podRef: { name: pod?.name, uid: pod?.uid, containers: ['main'] } },
      deadlineSeconds: 77,
    });
    expect(snapshot?.metadata).toMatchObject({
      ownerReferences: [],
      finalizers: [finalizers.snapshot],
      labels: {
        [labels.snapshotJob]: 'once',
        [labels.jobUID]: world.snapshotJob('once')?.metadata.uid,
      },
    });
    expect(world.snapshotJob('once')?.status).toMatchObject({
      podSnapshotName: 'once',
      podSnapshotUID: snapshot?.metadata.uid,
    });
    expect(inShort(world).Captured).toBe('False/CaptureInProgress');
  });

  it('is Running from when its pod is Ready, and notes that time once', async () => {
    const world = await capturing();
    await world.status(kinds.job, 'default', 'once', { active: 1, ready: 1 });
    await world.rest();
    const { startedAt } = world.snapshotJob('once')?.status ?? {};
    expect(inShort(world).Running).toBe('True/PodReady');
    expect(startedAt).toBeDefined();
    await world.clock.advance(60_000);
    await world.status(kinds.job, 'default', 'once', { ready: 0 });
    await world.rest();
    await world.status(kinds.job, 'default', 'once', { ready: 1 });
    await world.rest();
    expect(inShort(world).Running).toBe('True/PodReady');
    expect(world.snapshotJob('once')?.status.startedAt).toBe(startedAt);
  });

  it('is Completed when the snapshot is Ready, and the Job is deleted a little later', async () => {
    const world = await capturing();
    await agentsAct(world);
    await world.rest();
    expect(inShort(world)).toEqual({
      Running: 'False/CaptureCompleted',
      Captured: 'True/CaptureCompleted',
      Completed: 'True/CaptureCompleted',
      Failed: 'False/CaptureCompleted',
      Ready: 'True/Captured',
      Progressing: 'False/Captured',
    });
    expect(world.snapshotJob('once')?.status.completedAt).toBeDefined();
    expect(world.jobs.list()).toHaveLength(1);
    await world.pass(20);
    expect(world.jobs.list()).toEqual([]);
    expect(inShort(world).Completed).toBe('True/CaptureCompleted');
  });

  it('leaves its snapshot behind when it is deleted', async () => {
    const world = await capturing();
    await agentsAct(world);
    await world.pass(20);
    await world.remove(kinds.snapshotJob, 'default', 'once');
    await world.kube.collectGarbage();
    await world.rest();
    expect(isTrue(world.snapshot('once')?.status.conditions ?? [], 'Ready')).toBe(true);
  });

  it('records each transition as one event', async () => {
    const world = await capturing();
    await agentsAct(world);
    await world.pass(20);
    const reasons = world.events
      .filter(({ regarding }) => regarding.kind === 'SnapshotJob')
      .map(({ reason }) => reason);
    expect(reasons).toEqual(['JobCreated', 'SnapshotCreated', 'CaptureCompleted']);
  });

  it('lets a snapshot that became Ready win over a Job that failed meanwhile', async () => {
    const world = await capturing();
    world.snapshotJobs.freeze();
    await agentsAct(world);
    await world.rest();
    world.snapshotJobs.thaw();
    world.snapshots.freeze();
    await jobEnds(world, 'Failed', 'BackoffLimitExceeded');
    await world.rest();
    expect(inShort(world).Completed).toBe('True/CaptureCompleted');
  });

  it('waits for the snapshot of a Job that completed: it may be Ready in a moment', async () => {
    const world = await capturing();
    await jobEnds(world, 'Complete', '');
    await world.rest();
    expect(failure(world)).toBeUndefined();
    expect(world.snapshot('once')?.spec.cancel).toBe(false);
    await agentsAct(world);
    await world.rest();
    expect(inShort(world).Completed).toBe('True/CaptureCompleted');
  });

  it('that is being deleted is left to the garbage collector', async () => {
    const world = await worldWith();
    const key = { kind: kinds.snapshotJob, namespace: 'default', name: 'once' };
    const body = { metadata: { finalizers: ['foregroundDeletion'] } };
    await world.kube.patch(key, '', { type: 'merge', body }, never);
    await world.remove(kinds.snapshotJob, 'default', 'once');
    await jobsAct(world, 'node-a');
    await world.rest();
    expect(world.snapshot('once')).toBeUndefined();
  });
});

describe('a SnapshotJob made again under its old name', () => {
  it('waits for the Job of its predecessor to go', async () => {
    const world = await worldWith();
    const old = world.jobs.list()[0]?.metadata.uid;
    await world.remove(kinds.snapshotJob, 'default', 'once');
    await world.create(kinds.snapshotJob, snapshotJobManifest('once'));
    await world.round();
    await world.round();
    expect(failure(world)).toBeUndefined();
    expect(findCondition(conditionsOf(world), 'Running')?.message).toContain('earlier Job once');
    await world.kube.collectGarbage();
    await world.rest();
    expect(world.jobs.list()).toHaveLength(1);
    expect(world.jobs.list()[0]?.metadata.uid).not.toBe(old);
    expect(world.snapshotJob('once')?.status.sourceJobUID).toBe(world.jobs.list()[0]?.metadata.uid);
  });
});
