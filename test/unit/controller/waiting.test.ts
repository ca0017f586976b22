import { describe, expect, it } from 'vitest';
import { type Conditions, findCondition } from '../../../core/api/conditions.ts';
import { kinds } from '../../../core/api/kinds.ts';
import { Failure } from '../../../core/failure.ts';
import type { RawObject } from '../../../runtime/kube-port.ts';
import {
  agentsAct,
  beat,
  capturedStatus,
  checkpointManifest,
  jobsAct,
  podObject,
  snapshotJobManifest,
  snapshotManifest,
} from './support/cluster.ts';
import { change, orderStatus, worldWithPod } from './support/one-snapshot.ts';
import { World } from './support/world.ts';

/** The reason of Progressing while it is True. */
function waitsFor(object: { readonly status: { readonly conditions: Conditions } } | undefined) {
  const found = findCondition(object?.status.conditions ?? [], 'Progressing');
  return found?.status === 'True' ? found.reason : undefined;
}
const message = (object: { readonly status: { readonly conditions: Conditions } } | undefined) =>
  findCondition(object?.status.conditions ?? [], 'Progressing')?.message ?? '';

const progressing = (reason: string, text: string): RawObject => ({
  stage: 'Waiting',
  conditions: [{ type: 'Progressing', status: 'True', reason, message: text }],
});

/** The API server refuses to create objects of a kind. */
function refuse(world: World, refused: string, words: string): void {
  world.kube.before = ({ verb, kind }) => {
    if (verb === 'create' && kind === refused) throw new Failure('terminal', 'Forbidden', words);
  };
}

describe('a PodSnapshot says in Progressing what it waits for', () => {
  it('the node of its pod', async () => {
    const world = new World();
    await world.create(kinds.pod, podObject('web', {}));
    await world.create(kinds.podSnapshot, snapshotManifest('one', { name: 'web' }));
    await world.pass(10);
    expect(waitsFor(world.snapshot('one'))).toBe('WaitingForSchedule');
    expect(message(world.snapshot('one'))).toContain('web');
  });

  it('an API server that takes its order, with the words of the refusal and one event', async () => {
    const world = await worldWithPod();
    refuse(world, 'PodSnapshotContent', 'podsnapshotcontents is forbidden: no right');
    for (let round = 0; round < 5; round += 1) {
      await world.round();
      await world.clock.advance(15_000);
    }
    expect(waitsFor(world.snapshot('one'))).toBe('WaitingForContent');
    expect(message(world.snapshot('one'))).toContain('no right');
    expect(world.events.map(({ type, reason }) => `${type} ${reason}`)).toEqual([
      'Warning WaitingForContent',
    ]);
    world.kube.before = () => {};
    await world.pass(20);
    expect(world.contentOf('one')).toBeDefined();
  });

  it('the agent, from the very write that binds it, and by name once the agent does not answer', async () => {
    const world = await worldWithPod();
    await world.rest();
    expect(waitsFor(world.snapshot('one'))).toBe('WaitingForAgent');
    await world.pass(40);
    expect(waitsFor(world.snapshot('one'))).toBe('WaitingForAgent');
    expect(message(world.snapshot('one'))).toContain('node-a');
  });

  it('whatever the agent waits for', async () => {
    const world = await worldWithPod();
    await world.rest();
    await world.pass(10);
    await orderStatus(world, progressing('WaitingForLease', 'held by agent-2'));
    await world.rest();
    expect(waitsFor(world.snapshot('one'))).toBe('WaitingForLease');
    expect(message(world.snapshot('one'))).toBe('held by agent-2');
  });

  it('the agent’s word that it has stopped, after a cancel or the deadline', async () => {
    const world = await worldWithPod({ deadlineSeconds: 30 });
    await world.rest();
    await beat(world, 'node-a');
    await world.clock.advance(31_000);
    await beat(world, 'node-a');
    await world.rest();
    expect(waitsFor(world.snapshot('one'))).toBe('Cancelling');
    expect(message(world.snapshot('one'))).toContain('DeadlineExceeded');
  });

  it('the deletion of its bytes, without a word less about how the capture ended', async () => {
    const world = await worldWithPod();
    await world.rest();
    await beat(world, 'node-a');
    await orderStatus(world, capturedStatus);
    await world.rest();
    await world.remove(kinds.podSnapshot, 'default', 'one');
    await world.rest();
    expect(waitsFor(world.snapshot('one'))).toBeUndefined();
    await world.pass(10);
    expect(waitsFor(world.snapshot('one'))).toBe('Deleting');
    expect(message(world.snapshot('one'))).toContain('node-a');
    const { conditions = [] } = world.snapshot('one')?.status ?? {};
    expect(findCondition(conditions, 'Ready')?.status).toBe('True');
    const writes = world.kube.writes.length;
    await world.pass(60);
    expect(world.kube.writes.length).toBe(writes);
  });

  it('and nothing once it has ended', async () => {
    for (const status of [capturedStatus, undefined]) {
      const world = await worldWithPod(status === undefined ? { cancel: true } : {});
      await world.rest();
      if (status !== undefined) await orderStatus(world, status);
      await world.rest();
      const { conditions = [] } = world.snapshot('one')?.status ?? {};
      expect(findCondition(conditions, 'Progressing')?.status).toBe('False');
    }
  });
});

const both = [
  ['DynamoCheckpoint', kinds.dynamoCheckpoint, checkpointManifest('one')],
  ['SnapshotJob', kinds.snapshotJob, snapshotJobManifest('one')],
] as const;

describe.each(both)('a %s says in Progressing what it waits for', (kindName, kind, manifest) => {
  const object = (world: World) =>
    kindName === 'SnapshotJob' ? world.snapshotJob('one') : world.checkpoint('one');

  it('a pod of its Job, and then what the snapshot waits for as soon as that lasts', async () => {
    const world = new World();
    await world.create(kind, manifest);
    await world.rest();
    expect(waitsFor(object(world))).toBe('WaitingForSchedule');
    await jobsAct(world, 'node-a');
    await world.rest();
    expect(waitsFor(object(world))).toBe('WaitingForPodReady');
    await beat(world, 'node-a');
    await orderStatus(world, progressing('Queued', 'place 2 in the queue'));
    await world.pass(20);
    expect(waitsFor(object(world))).toBe('Queued');
    expect(message(object(world))).toBe('place 2 in the queue');
  });

  it('without a write more where the capture is quick', async () => {
    const world = new World();
    await world.create(kind, manifest);
    await world.rest();
    await jobsAct(world, 'node-a');
    await world.rest();
    const before = world.kube.writes.length;
    await orderStatus(world, progressing('Queued', 'place 2 in the queue'));
    await world.clock.advance(2_000);
    await world.rest();
    await agentsAct(world);
    await orderStatus(world, capturedStatus);
    await world.rest();
    const own = world.kube.writes.slice(before).filter((write) => write.kind === kindName);
    expect(own).toHaveLength(1);
    expect(findCondition(object(world)?.status.conditions ?? [], 'Ready')?.status).toBe('True');
  });

  it('a quota, with its numbers, and makes the Job when the quota allows it', async () => {
    const world = new World();
    refuse(world, 'Job', 'exceeded quota: jobs, used: 5, limited: 5');
    await world.create(kind, manifest);
    await world.round();
    await world.round();
    expect(waitsFor(object(world))).toBe('WaitingForQuota');
    expect(message(object(world))).toContain('used: 5, limited: 5');
    world.kube.before = () => {};
    await world.pass(20);
    expect(world.jobs.list()).toHaveLength(1);
    expect(waitsFor(object(world))).toBe('WaitingForSchedule');
  });

  it('the Job of a predecessor of its name to go', async () => {
    const world = new World();
    const spec = { ...(manifest.spec as RawObject) };
    if (kindName === 'DynamoCheckpoint') {
      spec.identity = { model: 'm', backendFramework: 'vllm' };
    }
    await world.create(kind, { ...manifest, spec });
    await world.rest();
    await world.remove(kind, 'default', 'one');
    await world.create(kind, { ...manifest, spec });
    await world.round();
    await world.round();
    expect(waitsFor(object(world))).toBe('WaitingForPredecessor');
    await world.kube.collectGarbage();
    await world.rest();
    expect(waitsFor(object(world))).toBe('WaitingForSchedule');
  });

  it('and nothing once it has failed, which Ready says too', async () => {
    const world = new World();
    await world.create(kind, manifest);
    await world.rest();
    await jobsAct(world, 'node-a');
    await world.rest();
    const snapshot = world.snapshots.list()[0]?.metadata.name ?? '';
    await change(world, kinds.podSnapshot, snapshot, { metadata: { finalizers: [] } });
    await world.remove(kinds.podSnapshot, 'default', snapshot);
    await world.rest();
    const { conditions = [] } = object(world)?.status ?? {};
    const failed = findCondition(conditions, 'Failed');
    expect(failed?.status).toBe('True');
    expect(findCondition(conditions, 'Ready')).toMatchObject({
      status: 'False',
      reason: failed?.reason,
    });
    expect(findCondition(conditions, 'Progressing')?.status).toBe('False');
  });
});

it('a checkpoint that tries again says why in Progressing', async () => {
  const world = new World();
  await world.create(kinds.dynamoCheckpoint, checkpointManifest('one', { backoffLimit: 1 }));
  await world.rest();
  const jobName = world.checkpoint('one')?.status.jobName ?? '';
  await world.status(kinds.job, 'default', jobName, {
    conditions: [{ type: 'Failed', status: 'True', reason: 'BackoffLimitExceeded' }],
  });
  world.kube.before = ({ verb, kind }) => {
    if (verb === 'create' && kind === 'Job') throw new Failure('retry', 'Unavailable', 'down');
  };
  await world.round();
  await world.round();
  expect(waitsFor(world.checkpoint('one'))).toBe('WaitingForSchedule');
  expect(message(world.checkpoint('one'))).toContain('a fresh Job follows');
});
