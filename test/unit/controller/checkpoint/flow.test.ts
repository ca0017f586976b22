import { describe, expect, it } from 'vitest';
import { identityHash } from '../../../../controller/checkpoint/identity-hash.ts';
import { findCondition, isTrue } from '../../../../core/api/conditions.ts';
import { checkpointIdentitySchema } from '../../../../core/api/dynamo-checkpoint.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import { checkpointJobName, finalizers, labels } from '../../../../core/api/names.ts';
import { Failure } from '../../../../core/failure.ts';
import { agentsAct, checkpointManifest, failedStatus, jobsAct } from '../support/cluster.ts';
import { World } from '../support/world.ts';

const never = new AbortController().signal;

const jobNames = (world: World): readonly string[] =>
  world.jobs.list().map(({ metadata }) => metadata.name);

async function worldWith(job = {}, spec = {}): Promise<World> {
  const world = new World();
  await world.create(kinds.dynamoCheckpoint, checkpointManifest('counter', job, spec));
  await world.rest();
  return world;
}

async function jobEnds(world: World, type: 'Failed' | 'Complete', reason: string): Promise<void> {
  const name = jobNames(world).at(-1) ?? '';
  const condition = { type, status: 'True', reason, message: 'said the Job controller' };
  await world.status(kinds.job, 'default', name, { conditions: [condition] });
}

const failure = (world: World) =>
  findCondition(world.checkpoint('counter')?.status.conditions ?? [], 'Failed');

describe('a checkpoint', () => {
  it('creates one Job that it owns, and says so', async () => {
    const world = await worldWith();
    const checkpoint = world.checkpoint('counter');
    const id = checkpoint?.status.checkpointID;
    expect(id).toMatch(/^[0-9a-f]{16}$/);
    expect(jobNames(world)).toEqual([`checkpoint-job-${id}-1`]);
    expect(checkpoint?.status).toMatchObject({ phase: 'Creating', jobName: jobNames(world)[0] });
    expect(isTrue(checkpoint?.status.conditions ?? [], 'JobCreated')).toBe(true);
    const job = world.jobs.list()[0];
    expect(job?.metadata.ownerReferences[0]?.uid).toBe(checkpoint?.metadata.uid);
  });

  it('captures the pod of the Job in a snapshot of its own name, pinned and finalized from the start', async () => {
    const world = await worldWith({ activeDeadlineSeconds: 77 });
    await jobsAct(world, 'node-a');
    await world.rest();
    const snapshot = world.snapshot('counter');
    expect(snapshot?.spec.source.podRef).toEqual({
      name: world.pods.list()[0]?.metadata.name,
      uid: world.pods.list()[0]?.metadata.uid,
      containers: ['main'],
    });
    expect(snapshot?.spec.deadlineSeconds).toBe(77);
    expect(snapshot?.metadata.finalizers).toEqual([finalizers.snapshot]);
    expect(snapshot?.metadata.labels[labels.owner]).toBe(world.checkpoint('counter')?.metadata.uid);
    expect(world.checkpoint('counter')?.status.podSnapshotName).toBe('counter');
  });

  it('is Ready when the snapshot is, and the Job is deleted a little later', async () => {
    const world = await worldWith();
    await jobsAct(world, 'node-a');
    await world.rest();
    await agentsAct(world);
    await world.rest();
    const status = world.checkpoint('counter')?.status;
    expect(status).toMatchObject({
      phase: 'Ready',
      createdAt: '2026-01-01T00:00:02Z',
      location: `dir:sha256:${'a'.repeat(64)}`,
      storageType: 'pvc',
    });
    expect(isTrue(status?.conditions ?? [], 'JobCompleted')).toBe(true);
    expect(jobNames(world)).toHaveLength(1);
    await world.pass(20);
    expect(jobNames(world)).toEqual([]);
  });

  it('leaves a finished Job to its TTL where one is set', async () => {
    const world = await worldWith({ ttlSecondsAfterFinished: 60 });
    await jobsAct(world, 'node-a');
    await world.rest();
    await agentsAct(world);
    await world.pass(60);
    expect(world.checkpoint('counter')?.status.phase).toBe('Ready');
    expect(jobNames(world)).toHaveLength(1);
  });

  it('records each transition as one event', async () => {
    const world = await worldWith();
    await jobsAct(world, 'node-a');
    await world.rest();
    await agentsAct(world);
    await world.rest();
    const reasons = world.events
      .filter(({ regarding }) => regarding.kind === 'DynamoCheckpoint')
      .map(({ reason }) => reason);
    expect(reasons).toEqual(['JobCreated', 'SnapshotCreated', 'Captured']);
  });
});

describe('a checkpoint fails', () => {
  it('with the Job’s message when the Job fails before there is a snapshot', async () => {
    const world = await worldWith();
    await jobEnds(world, 'Failed', 'BackoffLimitExceeded');
    await world.rest();
    expect(failure(world)?.reason).toBe('JobFailed');
    expect(failure(world)?.message).toContain('BackoffLimitExceeded: said the Job controller');
    expect(jobNames(world)).toEqual([]);
  });

  it('with DeadlineExceeded when the Job ran into its deadline, and cancels the capture', async () => {
    const world = await worldWith();
    await jobsAct(world, 'node-a');
    await world.rest();
    await jobEnds(world, 'Failed', 'DeadlineExceeded');
    await world.rest();
    expect(world.snapshot('counter')?.spec.cancel).toBe(true);
    await agentsAct(world);
    await world.rest();
    expect(failure(world)?.reason).toBe('DeadlineExceeded');
  });

  it('not, when the Job failed but the snapshot is Ready by an uncached look', async () => {
    const world = await worldWith();
    await jobsAct(world, 'node-a');
    await world.rest();
    world.checkpoints.freeze();
    await agentsAct(world);
    await world.rest();
    world.checkpoints.thaw();
    world.snapshots.freeze();
    await jobEnds(world, 'Failed', 'BackoffLimitExceeded');
    await world.rest();
    expect(world.checkpoint('counter')?.status.phase).toBe('Ready');
  });

  it('with the reason of the snapshot', async () => {
    const world = await worldWith();
    await jobsAct(world, 'node-a');
    await world.rest();
    const order = world.contentOf('counter')?.metadata.name ?? '';
    const end = failedStatus('PreflightFailed', 'io_uring. The source is running.');
    await world.status(kinds.podSnapshotContent, '', order, end);
    await world.rest();
    expect(failure(world)?.reason).toBe('PreflightFailed');
    expect(failure(world)?.message).toContain('io_uring');
  });

  it('with InvalidTargetContainer when the template lacks the container, without a Job', async () => {
    const world = await worldWith({ targetContainerName: 'absent' });
    expect(failure(world)?.reason).toBe('InvalidTargetContainer');
    expect(jobNames(world)).toEqual([]);
  });

  it('with JobRejected and the server’s words when the Job is invalid', async () => {
    const world = new World();
    world.kube.before = ({ verb, kind }) => {
      if (verb === 'create' && kind === 'Job') {
        throw new Failure('terminal', 'Invalid', 'spec.template: image is required');
      }
    };
    await world.create(kinds.dynamoCheckpoint, checkpointManifest('counter'));
    await world.rest();
    expect(failure(world)?.reason).toBe('JobRejected');
    expect(failure(world)?.message).toContain('image is required');
  });

  it('never because of a quota: that frees up again', async () => {
    const world = new World();
    world.kube.before = ({ verb, kind }) => {
      if (verb === 'create' && kind === 'Job') {
        throw new Failure('terminal', 'Forbidden', 'exceeded quota: jobs');
      }
    };
    await world.create(kinds.dynamoCheckpoint, checkpointManifest('counter'));
    await world.round();
    expect(failure(world)).toBeUndefined();
    world.kube.before = () => {};
    await world.rest();
    expect(jobNames(world)).toHaveLength(1);
  });

  it('with JobConflict when a Job of that name is not ours', async () => {
    const world = new World();
    const identity = checkpointIdentitySchema.parse({ model: 'm', backendFramework: 'vllm' });
    const name = checkpointJobName(identityHash(identity));
    await world.create(kinds.job, { metadata: { name, namespace: 'default' }, spec: {} });
    await world.create(kinds.dynamoCheckpoint, checkpointManifest('counter', {}, { identity }));
    await world.rest();
    expect(failure(world)?.reason).toBe('JobConflict');
    expect(jobNames(world)).toEqual([name]);
  });

  it('with DuplicateCheckpoint when it is the younger of two with one identity', async () => {
    const identity = { identity: { model: 'm', backendFramework: 'vllm' } };
    const world = await worldWith({}, identity);
    await world.create(kinds.dynamoCheckpoint, checkpointManifest('zweiter', {}, identity));
    await world.rest();
    const younger = findCondition(world.checkpoint('zweiter')?.status.conditions ?? [], 'Failed');
    expect(younger?.reason).toBe('DuplicateCheckpoint');
    expect(younger?.message).toContain('counter');
    expect(world.checkpoint('counter')?.status.phase).toBe('Creating');
  });

  it('with SnapshotConflict when a snapshot of that name is not ours', async () => {
    const world = await worldWith();
    await world.create(kinds.podSnapshot, {
      metadata: { name: 'counter', namespace: 'default' },
      spec: { source: { contentName: 'later' } },
    });
    await jobsAct(world, 'node-a');
    await world.rest();
    expect(failure(world)?.reason).toBe('SnapshotConflict');
  });

  it('with SnapshotDeleted when somebody deletes the snapshot under way', async () => {
    const world = await worldWith();
    await jobsAct(world, 'node-a');
    await world.rest();
    await world.remove(kinds.podSnapshot, 'default', 'counter');
    await world.rest();
    expect(failure(world)?.reason).toBe('SnapshotDeleted');
  });

  it('with JobFailed when the Job is deleted before the capture', async () => {
    const world = await worldWith();
    await world.remove(kinds.job, 'default', jobNames(world)[0] ?? '');
    await world.rest();
    expect(failure(world)?.reason).toBe('JobFailed');
    expect(failure(world)?.message).toContain('deleted');
  });
});

describe('backoffLimit', () => {
  it('gives that many fresh Jobs and snapshots after a failed one', async () => {
    const world = await worldWith({ backoffLimit: 1 });
    await jobsAct(world, 'node-a');
    await world.rest();
    const [first = ''] = jobNames(world);
    const order = world.contentOf('counter')?.metadata.name ?? '';
    const end = failedStatus('CheckpointFailed', 'CRIU said no. The source is running.');
    await world.status(kinds.podSnapshotContent, '', order, end);
    await world.rest();
    expect(jobNames(world)).toEqual([`${first}-r1`]);
    await jobsAct(world, 'node-a');
    await world.rest();
    expect(world.checkpoint('counter')?.status.podSnapshotName).toBe('counter-r1');
    await agentsAct(world);
    await world.rest();
    expect(world.checkpoint('counter')?.status.phase).toBe('Ready');
  });

  it('is used up by failures, the last of which is the verdict', async () => {
    const world = await worldWith({ backoffLimit: 1 });
    await jobEnds(world, 'Failed', 'BackoffLimitExceeded');
    await world.rest();
    expect(failure(world)).toBeUndefined();
    await jobEnds(world, 'Failed', 'BackoffLimitExceeded');
    await world.rest();
    expect(failure(world)?.reason).toBe('JobFailed');
    expect(jobNames(world)).toEqual([]);
  });

  it('is not spent on failures that would repeat themselves', async () => {
    const world = await worldWith({ backoffLimit: 3 });
    await jobEnds(world, 'Failed', 'DeadlineExceeded');
    await world.rest();
    expect(failure(world)?.reason).toBe('DeadlineExceeded');
  });
});

describe('a checkpoint made again under its old name', () => {
  it('waits for the Job of its predecessor to go', async () => {
    const identity = { identity: { model: 'm', backendFramework: 'vllm' } };
    const world = await worldWith({}, identity);
    const old = world.jobs.list()[0]?.metadata.uid;
    await world.remove(kinds.dynamoCheckpoint, 'default', 'counter');
    await world.create(kinds.dynamoCheckpoint, checkpointManifest('counter', {}, identity));
    await world.round();
    await world.round();
    expect(failure(world)).toBeUndefined();
    await world.kube.collectGarbage();
    await world.rest();
    expect(world.jobs.list().map(({ metadata }) => metadata.uid)).not.toEqual([old]);
    expect(world.checkpoint('counter')?.status.phase).toBe('Creating');
  });
});

it('a checkpoint that is being deleted is left to the garbage collector', async () => {
  const world = await worldWith();
  const key = { kind: kinds.dynamoCheckpoint, namespace: 'default', name: 'counter' };
  const body = { metadata: { finalizers: ['foregroundDeletion'] } };
  await world.kube.patch(key, '', { type: 'merge', body }, never);
  await world.remove(kinds.dynamoCheckpoint, 'default', 'counter');
  await jobsAct(world, 'node-a');
  await world.rest();
  expect(world.snapshot('counter')).toBeUndefined();
});
