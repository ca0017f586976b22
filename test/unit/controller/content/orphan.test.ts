import { describe, expect, it } from 'vitest';
import { findCondition, isTrue } from '../../../../core/api/conditions.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import { contentName, finalizers } from '../../../../core/api/names.ts';
import { agentsAct, beat, capturedStatus, failedStatus } from '../support/cluster.ts';
import { change, orderStatus, worldWithPod } from '../support/one-snapshot.ts';
import { World } from '../support/world.ts';

/** Somebody removes the snapshot and its finalizer: the controller does not hear of it. */
async function robbed(world: World): Promise<void> {
  await change(world, kinds.podSnapshot, 'one', { metadata: { finalizers: [] } });
  await world.remove(kinds.podSnapshot, 'default', 'one');
}

const only = (world: World) => world.contents.list()[0];

describe('a content whose snapshot went without its finalizer', () => {
  it('keeps its bytes, whatever the policy says, and is released for an administrator with an event', async () => {
    const world = await worldWithPod();
    await world.rest();
    await orderStatus(world, capturedStatus);
    await world.rest();
    await robbed(world);
    await world.rest();
    const released = findCondition(only(world)?.status.conditions ?? [], 'Released');
    expect(released).toMatchObject({ status: 'True', reason: 'Released' });
    expect(released?.message).toContain('default/one');
    expect(only(world)?.metadata.deletionTimestamp).toBeUndefined();
    expect(world.events.at(-1)).toMatchObject({ type: 'Warning', reason: 'Released' });
    const writes = world.kube.writes.length;
    await world.pass(60);
    expect(world.kube.writes.length).toBe(writes);
  });

  it('is deleted where the capture had failed: there are no bytes to keep', async () => {
    const world = await worldWithPod();
    await world.rest();
    await orderStatus(world, failedStatus('CheckpointFailed', 'no'));
    await world.rest();
    await robbed(world);
    await world.rest();
    await agentsAct(world);
    await world.rest();
    expect(only(world)).toBeUndefined();
  });

  it('is cancelled under way, and deleted when the agent has ended it', async () => {
    const world = await worldWithPod();
    await world.rest();
    await beat(world, 'node-a');
    await robbed(world);
    await world.rest();
    expect(only(world)?.spec.cancel).toBe(true);
    expect(only(world)?.metadata.deletionTimestamp).toBeUndefined();
    await agentsAct(world);
    await world.rest();
    await agentsAct(world);
    await world.rest();
    expect(only(world)).toBeUndefined();
  });

  it('is deleted under way as well where no agent is heard that could end it', async () => {
    const world = await worldWithPod();
    await world.rest();
    await robbed(world);
    await world.pass(120);
    expect(only(world)).toBeUndefined();
  });

  it('is Ready where the agent was faster than the cancel, and keeps its bytes', async () => {
    const world = await worldWithPod();
    await world.rest();
    await robbed(world);
    world.contents.freeze();
    await world.status(
      kinds.podSnapshotContent,
      '',
      only(world)?.metadata.name ?? '',
      capturedStatus,
    );
    await world.round();
    world.contents.thaw();
    await world.rest();
    expect(only(world)?.spec.cancel).toBe(false);
    expect(isTrue(only(world)?.status.conditions ?? [], 'Released')).toBe(true);
  });

  it('is not taken for one because a cache lags behind: the API server is asked', async () => {
    const world = await worldWithPod();
    await world.rest();
    await orderStatus(world, capturedStatus);
    await world.rest();
    const { list } = world.snapshots;
    world.snapshots.list = () => [];
    await world.pass(30);
    world.snapshots.list = list;
    expect(isTrue(only(world)?.status.conditions ?? [], 'Released')).toBe(false);
  });

  it('made again under its name does not take it over', async () => {
    const world = await worldWithPod();
    await world.rest();
    await orderStatus(world, capturedStatus);
    await world.rest();
    await robbed(world);
    const spec = { source: { podRef: { name: 'web', containers: ['main'] } } };
    await world.create(kinds.podSnapshot, {
      metadata: { name: 'one', namespace: 'default' },
      spec,
    });
    await world.rest();
    expect(world.contents.list()).toHaveLength(2);
    const released = world.contents
      .list()
      .filter(({ status }) => isTrue(status.conditions, 'Released'));
    expect(released).toHaveLength(1);
  });

  it('and that is not ours is left alone: without our finalizer, or under a name that is not of its snapshot', async () => {
    const ref = { namespace: 'default', name: 'gone', uid: 'no-more' };
    const podRef = { name: 'web', uid: 'p', containers: ['main'] };
    const spec = { snapshotRef: ref, source: { podRef, nodeName: 'node-a' } };
    for (const metadata of [
      { name: contentName('no-more') },
      { name: 'of-somebody', finalizers: [finalizers.content] },
    ]) {
      const world = new World();
      await world.create(kinds.podSnapshotContent, { metadata, spec });
      const writes = world.kube.writes.length;
      await world.pass(120);
      expect(world.kube.writes.length).toBe(writes);
    }
  });
});
