import { describe, expect, it } from 'vitest';
import { kinds } from '../../../../core/api/kinds.ts';
import { labels } from '../../../../core/api/names.ts';
import { Failure } from '../../../../core/failure.ts';
import { agentsAct, jobsAct, snapshotJobManifest } from '../support/cluster.ts';
import {
  capturing,
  failure,
  inShort,
  jobEnds,
  orderEnds,
  worldWith,
} from '../support/one-snapshot-job.ts';
import { World } from '../support/world.ts';

describe('a SnapshotJob fails', () => {
  it('with JobFailed and the Job’s message before there is a snapshot, and keeps the Job for its log', async () => {
    const world = await worldWith();
    await jobEnds(world, 'Failed', 'BackoffLimitExceeded');
    await world.pass(30);
    expect(failure(world)?.message).toContain('BackoffLimitExceeded: said the Job controller');
    expect(inShort(world)).toEqual({
      Running: 'False/JobFailed',
      Captured: 'False/JobFailed',
      Completed: 'False/JobFailed',
      Failed: 'True/JobFailed',
      Ready: 'False/JobFailed',
      Progressing: 'False/JobFailed',
    });
    expect(world.jobs.list()).toHaveLength(1);
  });

  it('and a Job that a former leader makes after that is deleted again', async () => {
    const world = await worldWith();
    const [job] = world.jobs.list();
    const { name = '', labels: marks = {}, ownerReferences = [] } = job?.metadata ?? {};
    await world.remove(kinds.job, 'default', name);
    await world.pass(30);
    expect(failure(world)?.reason).toBe('JobDeleted');
    const metadata = { name, namespace: 'default', labels: marks, ownerReferences };
    await world.create(kinds.job, { metadata, spec: {} });
    expect(world.jobs.list()).toHaveLength(1);
    await world.rest();
    expect(world.jobs.list()).toHaveLength(0);
  });

  it.each([
    ['DeadlineExceeded', 'DeadlineExceeded'],
    ['BackoffLimitExceeded', 'JobFailed'],
  ])(
    'after the end of the capture, when its Job failed with %s under way',
    async (said, reason) => {
      const world = await capturing();
      await jobEnds(world, 'Failed', said);
      await world.rest();
      expect(world.snapshot('once')?.spec.cancel).toBe(true);
      expect(failure(world)).toBeUndefined();
      await agentsAct(world);
      await world.rest();
      expect(failure(world)?.reason).toBe(reason);
    },
  );

  it('with DeadlineExceeded when nobody enforces the deadline of the Job', async () => {
    const world = await worldWith({ activeDeadlineSeconds: 30 });
    await world.pass(80);
    expect(failure(world)).toBeUndefined();
    await world.pass(20);
    expect(failure(world)?.reason).toBe('DeadlineExceeded');
  });

  it.each([
    ['CheckpointFailed', 'CaptureFailed'],
    ['PreflightFailed', 'CaptureFailed'],
    ['ContentConflict', 'PodSnapshotFailed'],
    ['DeadlineExceeded', 'DeadlineExceeded'],
  ])('when its snapshot failed with %s: %s', async (snapshot, reason) => {
    const world = await capturing();
    await orderEnds(world, snapshot);
    await world.rest();
    expect(failure(world)?.reason).toBe(reason);
    expect(failure(world)?.message).toContain(snapshot);
  });

  it('with SourceCompletedWithoutCapture when the Job completed first', async () => {
    const world = await worldWith();
    await jobEnds(world, 'Complete', '');
    await world.rest();
    expect(failure(world)?.reason).toBe('SourceCompletedWithoutCapture');
    const late = await capturing();
    await jobEnds(late, 'Complete', '');
    await orderEnds(late, 'SourcePodGone');
    await late.rest();
    expect(failure(late)?.reason).toBe('SourceCompletedWithoutCapture');
  });

  it('with the reason of its Job, also when that comes after the end of its snapshot', async () => {
    const world = await capturing();
    await orderEnds(world, 'SourcePodGone');
    await world.rest();
    expect(failure(world)).toBeUndefined();
    await jobEnds(world, 'FailureTarget', 'DeadlineExceeded');
    await world.rest();
    expect(failure(world)?.reason).toBe('DeadlineExceeded');
  });

  it('with CaptureFailed when the Job never says why its pod ended', async () => {
    const world = await capturing();
    await orderEnds(world, 'SourcePodGone');
    await world.pass(20);
    expect(failure(world)).toBeUndefined();
    await world.pass(20);
    expect(failure(world)?.reason).toBe('CaptureFailed');
  });

  it('with JobDeleted when the Job is gone before the capture', async () => {
    const world = await worldWith();
    await world.remove(kinds.job, 'default', 'once');
    await world.rest();
    expect(failure(world)?.reason).toBe('JobDeleted');
    const late = await capturing();
    await late.remove(kinds.job, 'default', 'once');
    await orderEnds(late, 'SourcePodGone');
    await late.rest();
    expect(failure(late)?.reason).toBe('JobDeleted');
  });

  it('with JobDeleted when another Job has the name, even one that it owns', async () => {
    const world = await worldWith();
    const [job] = world.kube.all(kinds.job);
    const { ownerReferences } = world.jobs.list()[0]?.metadata ?? {};
    await world.remove(kinds.job, 'default', 'once');
    const metadata = { name: 'once', namespace: 'default', ownerReferences };
    await world.create(kinds.job, { metadata, spec: job?.spec });
    await world.rest();
    expect(failure(world)?.reason).toBe('JobDeleted');
    expect(failure(world)?.message).toContain('another one has its name');
  });

  it('with PodSnapshotDeleted when somebody deletes the snapshot under way, or replaces it', async () => {
    const world = await capturing();
    await world.remove(kinds.podSnapshot, 'default', 'once');
    await world.rest();
    expect(failure(world)?.reason).toBe('PodSnapshotDeleted');
  });

  it('with PodSnapshotNameConflict before it runs anything, when the name of the snapshot is taken', async () => {
    const world = new World();
    await world.create(kinds.podSnapshot, {
      metadata: { name: 'once', namespace: 'default' },
      spec: { source: { contentName: 'later' } },
    });
    await world.create(kinds.snapshotJob, snapshotJobManifest('once'));
    await world.rest();
    expect(failure(world)?.reason).toBe('PodSnapshotNameConflict');
    expect(world.jobs.list()).toEqual([]);
  });

  it('with PodSnapshotNameConflict when a snapshot has our labels and another source', async () => {
    const world = await worldWith();
    const uid = world.snapshotJob('once')?.metadata.uid;
    await world.create(kinds.podSnapshot, {
      metadata: { name: 'once', namespace: 'default', labels: { [labels.jobUID]: uid } },
      spec: { source: { podRef: { name: 'another', uid: 'another', containers: ['main'] } } },
    });
    await jobsAct(world, 'node-a');
    await world.rest();
    expect(failure(world)?.reason).toBe('PodSnapshotNameConflict');
  });

  it('with JobNameConflict when a Job of its name is not its own, which is left alone', async () => {
    const world = new World();
    await world.create(kinds.job, { metadata: { name: 'once', namespace: 'default' }, spec: {} });
    await world.create(kinds.snapshotJob, snapshotJobManifest('once'));
    await world.rest();
    expect(failure(world)?.reason).toBe('JobNameConflict');
    expect(world.jobs.list()).toHaveLength(1);
  });

  it('with InvalidSpec and the server’s words when the Job is refused, but never for a quota', async () => {
    const world = new World();
    let words = 'exceeded quota: jobs';
    world.kube.before = ({ verb, kind }) => {
      if (verb === 'create' && kind === 'Job') throw new Failure('terminal', 'Refused', words);
    };
    await world.create(kinds.snapshotJob, snapshotJobManifest('once'));
    await world.round();
    expect(failure(world)).toBeUndefined();
    words = 'spec.template: image is required';
    await world.rest();
    expect(failure(world)?.reason).toBe('InvalidSpec');
    expect(failure(world)?.message).toContain('image is required');
  });

  it('once: nothing is tried again, whatever happens afterwards', async () => {
    const world = await capturing();
    await orderEnds(world, 'CheckpointFailed');
    await world.rest();
    const before = world.snapshotJob('once')?.status;
    await world.remove(kinds.job, 'default', 'once');
    await world.remove(kinds.podSnapshot, 'default', 'once');
    await world.pass(60);
    expect(world.snapshotJob('once')?.status).toEqual(before);
    expect(world.jobs.list()).toEqual([]);
  });
});
