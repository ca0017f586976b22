import { describe, expect, it } from 'vitest';
import { findCondition, isTrue } from '../../../../core/api/conditions.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import { agentsAct, beat, capturedStatus } from '../support/cluster.ts';
import { change, failedReason, orderStatus, worldWithPod } from '../support/one-snapshot.ts';

describe('an order that does not end by itself', () => {
  it('fails with DeadlineExceeded although the agent only knows that it was cancelled', async () => {
    const world = await worldWithPod({ deadlineSeconds: 20 });
    await world.rest();
    await beat(world, 'node-a');
    await world.clock.advance(21_000);
    await world.rest();
    expect(world.contentOf('one')?.spec.cancel).toBe(true);
    expect(failedReason(world)).toBeUndefined();
    await agentsAct(world);
    await world.rest();
    expect(failedReason(world)).toBe('DeadlineExceeded');
  });

  it('is Ready when Ready came before the cancel', async () => {
    const world = await worldWithPod({ deadlineSeconds: 20 });
    await world.rest();
    world.contents.freeze();
    await agentsAct(world);
    await orderStatus(world, capturedStatus);
    await world.clock.advance(21_000);
    await world.round();
    expect(isTrue(world.snapshot('one')?.status.conditions ?? [], 'Ready')).toBe(true);
  });

  it('fails with Cancelled when the user cancels', async () => {
    const world = await worldWithPod();
    await world.rest();
    await change(world, kinds.podSnapshot, 'one', { spec: { cancel: true } });
    await world.rest();
    await agentsAct(world);
    await world.rest();
    expect(failedReason(world)).toBe('Cancelled');
  });

  it('fails with Cancelled before anything began, without an order', async () => {
    const world = await worldWithPod({ cancel: true });
    await world.rest();
    expect(failedReason(world)).toBe('Cancelled');
    expect(world.contents.list()).toEqual([]);
  });

  it('fails with NoAgentOnNode after a minute without a heartbeat, in content and snapshot', async () => {
    const world = await worldWithPod();
    await world.rest();
    await world.pass(40);
    const waiting = findCondition(world.snapshot('one')?.status.conditions ?? [], 'Progressing');
    expect(waiting?.reason).toBe('WaitingForAgent');
    await world.pass(60);
    expect(failedReason(world)).toBe('NoAgentOnNode');
    expect(isTrue(world.contentOf('one')?.status.conditions ?? [], 'Failed')).toBe(true);
  });

  it('does not count the time in which the API server gave no answer as silence', async () => {
    const world = await worldWithPod();
    await world.rest();
    await world.pass(30);
    await world.clock.advance(600_000);
    await world.rest();
    expect(failedReason(world)).toBeUndefined();
  });

  it('fails with NodeLost when the agent of a capture under way is silent for five minutes', async () => {
    const world = await worldWithPod();
    await world.rest();
    await beat(world, 'node-a');
    await orderStatus(world, { stage: 'Publishing', startedAt: '2026-01-01T00:00:01Z' });
    await world.create(kinds.node, { metadata: { name: 'node-a' } });
    await world.pass(200);
    expect(failedReason(world)).toBeUndefined();
    await world.pass(150);
    expect(failedReason(world)).toBe('NodeLost');
  });

  it('is left alone as long as the agent beats', async () => {
    const world = await worldWithPod();
    await world.rest();
    for (let step = 0; step < 40; step += 1) {
      await beat(world, 'node-a');
      await world.pass(10);
    }
    expect(failedReason(world)).toBeUndefined();
  });

  it('fails with ContentLost when the bound content is gone', async () => {
    const world = await worldWithPod();
    await world.rest();
    const name = world.contentOf('one')?.metadata.name ?? '';
    await change(world, kinds.podSnapshotContent, name, { metadata: { finalizers: [] } });
    await world.remove(kinds.podSnapshotContent, '', name);
    await world.rest();
    expect(failedReason(world)).toBe('ContentLost');
  });

  it('does not take a cache that lags behind for a lost content', async () => {
    const world = await worldWithPod();
    world.contents.freeze();
    await world.rest();
    await world.round();
    expect(failedReason(world)).toBeUndefined();
  });
});

describe('deleting a snapshot', () => {
  it('takes the content along once the agent has said that the bytes are gone', async () => {
    const world = await worldWithPod();
    await world.rest();
    await beat(world, 'node-a');
    await agentsAct(world);
    await world.rest();
    await world.remove(kinds.podSnapshot, 'default', 'one');
    await world.rest();
    expect(world.snapshot('one')).toBeDefined();
    expect(world.contentOf('one')?.metadata.deletionTimestamp).toBeDefined();
    await agentsAct(world);
    await world.rest();
    expect(world.contents.list()).toEqual([]);
    expect(world.snapshot('one')).toBeUndefined();
  });

  it('cancels an order in flight before it deletes it', async () => {
    const world = await worldWithPod();
    await world.rest();
    await world.remove(kinds.podSnapshot, 'default', 'one');
    await world.rest();
    const content = world.contentOf('one');
    expect(content?.spec.cancel).toBe(true);
    expect(content?.metadata.deletionTimestamp).toBeDefined();
  });

  it('keeps the content of a captured snapshot with Retain, marked as released', async () => {
    const world = await worldWithPod({ deletionPolicy: 'Retain' });
    await world.rest();
    await agentsAct(world);
    await world.rest();
    await world.remove(kinds.podSnapshot, 'default', 'one');
    await world.rest();
    expect(world.snapshot('one')).toBeUndefined();
    const released = findCondition(world.contentOf('one')?.status.conditions ?? [], 'Released');
    expect(released).toMatchObject({ status: 'True', reason: 'Released' });
    expect(isTrue(world.contentOf('one')?.status.conditions ?? [], 'Ready')).toBe(true);
  });

  it('finds the content of a snapshot that was not bound yet', async () => {
    const world = await worldWithPod();
    world.kube.before = ({ verb }) => {
      if (verb === 'patch-status') throw new Error('down');
    };
    await expect(world.rest()).rejects.toThrow('down');
    world.kube.before = () => {};
    await world.remove(kinds.podSnapshot, 'default', 'one');
    await world.rest();
    expect(world.contentOf('one')?.metadata.deletionTimestamp).toBeDefined();
  });

  it('does not wait for an agent that never was, once nothing can have been stored', async () => {
    const world = await worldWithPod();
    await world.rest();
    await world.remove(kinds.podSnapshot, 'default', 'one');
    await world.pass(120);
    expect(world.contents.list()).toEqual([]);
    expect(world.snapshot('one')).toBeUndefined();
  });
});
