import { describe, expect, it } from 'vitest';
import { findCondition } from '../../../../core/api/conditions.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import { identityOf } from '../../../../runtime/raw-object.ts';
import { nodeName } from './support/fake-agent.ts';
import { containerStatus, World } from './support/world.ts';

const never = new AbortController().signal;

/** A pod of its own for an order, and the order. */
async function order(world: World, name: string, priority: number): Promise<void> {
  const pod = await world.kube.create(
    kinds.pod,
    {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: `pod-${name}`, namespace: 'default' },
      spec: { nodeName, priority, containers: [{ name: 'main', image: 'counter:1' }] },
      status: { phase: 'Running', containerStatuses: [containerStatus()] },
    },
    { dryRun: false },
    never,
  );
  const key = { kind: kinds.pod, namespace: 'default', name: `pod-${name}` };
  const status = { phase: 'Running', containerStatuses: [containerStatus()] };
  await world.kube.patch(key, 'status', { type: 'merge', body: { status } }, never);
  const { uid } = identityOf(pod);
  const podRef = { name: `pod-${name}`, uid, containers: ['main'] };
  await world.createContent(uid, { source: { nodeName, podRef } }, name);
}

const progressing = (world: World, name: string) =>
  findCondition(world.content(name).status.conditions, 'Progressing');

async function ended(world: World, ...names: readonly string[]): Promise<void> {
  await world.until(
    'all ends',
    () => names.every((name) => world.end(name) === 'Captured'),
    600_000,
  );
  await world.clock.advance(2000);
  expect(world.node.staging.size).toBe(0);
  world.close();
}

describe('orders on one node', () => {
  it('dump one at a time, by the priority of their pods and then by age, and show their place', async () => {
    const world = new World();
    world.node.dumpMilliseconds = 20_000;
    await world.startAgent();
    await order(world, 'first', 0);
    await world.until('a dump', () => world.node.dumps.length === 1);
    for (const [name, priority] of [
      ['low', -10],
      ['old', 0],
      ['urgent', 1000],
    ] as const) {
      await order(world, name, priority);
      await world.clock.advance(1000);
    }
    await world.until('places', () => progressing(world, 'low')?.reason === 'Queued');
    await world.clock.advance(2000);
    const places = ['urgent', 'old', 'low'].map((name) => progressing(world, name)?.message);
    expect(places).toEqual(
      [1, 2, 3].map((place) => `place ${place} in the queue of this node; dumps at a time: 1`),
    );
    await ended(world, 'first', 'low', 'old', 'urgent');
    const uidOf = (name: string): string => world.content(name).metadata.uid;
    expect(world.node.dumps.map((dump) => dump.stagingDirectory)).toEqual(
      ['first', 'urgent', 'old', 'low'].map((name) => `/staging/${uidOf(name)}-1`),
    );
  });

  it('publish as many at a time as is allowed, while others dump; who waits says so', async () => {
    const world = new World();
    world.node.parallelPublishes = 1;
    world.node.publishMilliseconds = 20_000;
    await world.startAgent();
    for (const name of ['one', 'two', 'three']) await order(world, name, 0);
    await world.until('all dumps', () => world.node.dumps.length === 3);
    await world.until('a place', () =>
      /queue to publish/.test(progressing(world, 'three')?.message ?? ''),
    );
    expect(world.agent?.orders.waitingToPublish()).toBe(2);
    expect(progressing(world, 'three')).toMatchObject({
      reason: 'Queued',
      message:
        'the source runs; place 2 in the queue to publish on this node; publishes at a time: 1',
    });
    expect(world.content('three').status.stage).toBe('Publishing');
    expect(world.node.frozen).toBe(false);
    await ended(world, 'one', 'two', 'three');
  });

  it('of low priority wait while the node is under pressure, and let others pass', async () => {
    const world = new World();
    world.node.pressure = 'the node is under pressure: tasks wait for io 71 % (limit 40 %)';
    await world.startAgent();
    await order(world, 'low', -1);
    await world.until('the word', () => progressing(world, 'low')?.reason === 'Queued');
    expect(progressing(world, 'low')?.message).toBe(world.node.pressure);
    await order(world, 'normal', 0);
    await world.until('the other', () => world.end('normal') === 'Captured');
    expect(world.end('low')).toBe('Queued');
    world.node.pressure = undefined;
    await ended(world, 'low');
  });

  it('of low priority do not outlive their deadline under pressure', async () => {
    const world = new World();
    world.node.pressure = 'the node is under pressure';
    await world.startAgent();
    const podUID = await world.createPod({}, {});
    await world.kube.patch(
      { kind: kinds.pod, namespace: 'default', name: 'counter' },
      '',
      { type: 'merge', body: { spec: { priority: -1 } } },
      never,
    );
    await world.createContent(podUID, { deadlineSeconds: 30 });
    await world.until('the end', () => world.end() === 'DeadlineExceeded');
    expect(world.content().status.sourceState).toBe('Untouched');
    world.close();
  });

  it('wait for room that another is still to fill, and go on when it is done', async () => {
    const world = new World();
    world.node.freeBytes = { staging: 10_000, store: 1500 };
    world.node.publishMilliseconds = 20_000;
    await world.startAgent();
    await order(world, 'one', 0);
    await world.until('a dump', () => world.node.dumps.length === 1);
    await order(world, 'two', 0);
    await world.until('the word', () =>
      /waiting for room/.test(progressing(world, 'two')?.message ?? ''),
    );
    expect(world.content('two').status.stage).toBe('Preparing');
    expect(world.node.dumps.length).toBe(1);
    await ended(world, 'one', 'two');
  });

  it('that would never fit fail with the numbers, before anything is frozen', async () => {
    const world = new World();
    world.node.freeBytes = { staging: 10_000, store: 999 };
    await world.startAgent();
    await order(world, 'one', 0);
    await world.until('the end', () => world.end('one') === 'StorageFull');
    expect(findCondition(world.content('one').status.conditions, 'Failed')?.message).toMatch(
      /\/store has 999 B free; this capture may need 1000 B; the source was not touched/,
    );
    expect(world.node.dumps).toEqual([]);
    world.close();
  });

  it('keep their room over a restart of the agent while their dump is still to be published', async () => {
    const world = new World();
    world.node.freeBytes = { staging: 10_000, store: 1005 };
    world.node.publishMilliseconds = 60_000;
    const life = await world.startAgent();
    await order(world, 'one', 0);
    await world.until('the thaw', () => world.node.trace.deeds.at(-1)?.what === 'dump-ended');
    await world.clock.advance(1000);
    life.kill();
    await order(world, 'two', 0);
    await world.startAgent();
    await world.until('the word', () =>
      /waiting for room/.test(progressing(world, 'two')?.message ?? ''),
    );
    await ended(world, 'one', 'two');
  });
});
