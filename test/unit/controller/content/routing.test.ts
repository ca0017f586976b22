import { describe, expect, it } from 'vitest';
import { kinds } from '../../../../core/api/kinds.ts';
import {
  captureLeaseName,
  finalizers,
  labels,
  systemNamespace,
} from '../../../../core/api/names.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { agentsAct, beat, capturedStatus } from '../support/cluster.ts';
import { change, orderStatus, worldWithPod } from '../support/one-snapshot.ts';
import { World } from '../support/world.ts';

const nodeOf = (world: World): string | undefined =>
  world.contents.list()[0]?.metadata.labels[labels.node];
const reasons = (world: World): readonly string[] => world.events.map(({ reason }) => reason);

/** A captured snapshot on node-a that is being deleted; the agent of node-a was heard once. */
async function dying(sharedID: string): Promise<World> {
  const world = await worldWithPod();
  await world.create(kinds.node, { metadata: { name: 'node-a' } });
  await world.rest();
  await beat(world, 'node-a', sharedID);
  await orderStatus(world, capturedStatus);
  await world.rest();
  await world.remove(kinds.podSnapshot, 'default', 'one');
  await world.rest();
  return world;
}

/** Time passes in which the agents of these nodes beat. */
async function beating(world: World, seconds: number, ...nodes: readonly [string, string][]) {
  for (let left = seconds; left > 0; left -= 10) {
    for (const [node, sharedID] of nodes) await beat(world, node, sharedID);
    await world.pass(10);
  }
}

describe('the bytes of a deleted content whose agent is silent', () => {
  it('are given after five minutes to a living agent of the same shared store, which deletes them', async () => {
    const world = await dying('shared-1');
    await beating(world, 280, ['node-b', 'shared-1']);
    expect(nodeOf(world)).toBe('node-a');
    await beating(world, 60, ['node-b', 'shared-1']);
    expect(nodeOf(world)).toBe('node-b');
    expect(world.events.find(({ reason }) => reason === 'Rerouted')).toMatchObject({
      regarding: { kind: 'PodSnapshotContent' },
      note: expect.stringContaining('node-b'),
    });
    await agentsAct(world);
    await world.rest();
    expect(world.contents.list()).toEqual([]);
    expect(world.snapshot('one')).toBeUndefined();
  });

  it('go on to the next agent when the second one falls silent too', async () => {
    const world = await dying('shared-1');
    await beating(world, 340, ['node-b', 'shared-1']);
    expect(nodeOf(world)).toBe('node-b');
    await beating(world, 380, ['node-c', 'shared-1']);
    expect(nodeOf(world)).toBe('node-c');
  });

  it('are not given to an agent of another store, nor to one whose store is its own', async () => {
    const world = await dying('shared-1');
    await beating(world, 400, ['node-b', 'shared-2'], ['node-c', '']);
    expect(nodeOf(world)).toBe('node-a');
  });

  it('wait for any agent of their shared store, even when the node is gone', async () => {
    const world = await dying('shared-1');
    await world.remove(kinds.node, '', 'node-a');
    await world.pass(600);
    expect(world.contents.list()).toHaveLength(1);
    expect(reasons(world)).not.toContain('ArtifactLost');
  });

  it('of a node’s own store wait as long as the node exists', async () => {
    const world = await dying('');
    await beating(world, 600, ['node-b', '']);
    expect(world.contents.list()).toHaveLength(1);
  });

  it('of a node’s own store are written off in an event when the node has been gone for five minutes', async () => {
    const world = await dying('');
    await world.remove(kinds.node, '', 'node-a');
    await world.pass(200);
    expect(world.contents.list()).toHaveLength(1);
    await world.pass(150);
    expect(world.contents.list()).toEqual([]);
    expect(world.snapshot('one')).toBeUndefined();
    expect(world.events.find(({ reason }) => reason === 'ArtifactLost')?.note).toContain('node-a');
  });

  it('do not move because the watch of the heartbeats is dead', async () => {
    const world = await dying('shared-1');
    world.deafToBeats = true;
    await beating(world, 600, ['node-a', 'shared-1'], ['node-b', 'shared-1']);
    expect(nodeOf(world)).toBe('node-a');
  });

  it('may exist where an agent took the Lease and never said a word: the content is not let go', async () => {
    const world = await worldWithPod();
    await world.rest();
    const uid = world.contentOf('one')?.metadata.uid ?? '';
    const metadata = { name: captureLeaseName(uid), namespace: systemNamespace };
    await world.create(kinds.lease, { metadata, spec: { holderIdentity: 'agent-node-a' } });
    await world.create(kinds.node, { metadata: { name: 'node-a' } });
    await world.remove(kinds.podSnapshot, 'default', 'one');
    await world.pass(400);
    expect(world.contents.list()).toHaveLength(1);
  });
});

const digest = `sha256:${'c'.repeat(64)}`;

function provided(source: RawObject = {}, metadata: RawObject = {}): RawObject {
  return {
    metadata: { name: 'imported', ...metadata },
    spec: {
      snapshotRef: { namespace: 'default', name: 'one' },
      source: { artifact: { store: 'dir', digest }, ...source },
    },
  };
}

describe('a content for an artifact that exists already', () => {
  it('goes to a living agent of a shared store of that name, with the finalizer that keeps it', async () => {
    const world = new World();
    await world.create(kinds.podSnapshotContent, provided());
    await beat(world, 'node-b', 'shared-1');
    await world.rest();
    expect(nodeOf(world)).toBe('node-b');
    expect(world.contents.list()[0]?.metadata.finalizers).toEqual([finalizers.content]);
  });

  it('goes to the node that it names, heard or not', async () => {
    const world = new World();
    await world.create(kinds.podSnapshotContent, provided({ nodeName: 'node-z' }));
    await beat(world, 'node-b', 'shared-1');
    await world.rest();
    expect(nodeOf(world)).toBe('node-z');
    await beating(world, 400, ['node-b', 'shared-1']);
    expect(nodeOf(world)).toBe('node-z');
  });

  it('waits where only stores of single nodes are known: nobody can say which of them is meant', async () => {
    const world = new World();
    await world.create(kinds.podSnapshotContent, provided());
    await beating(world, 30, ['node-b', '']);
    expect(nodeOf(world)).toBeUndefined();
    await beat(world, 'node-c', 'shared-1');
    await world.pass(10);
    expect(nodeOf(world)).toBe('node-c');
  });

  it('goes to another agent of the store when the first falls silent before it has answered', async () => {
    const world = new World();
    await world.create(kinds.podSnapshotContent, provided());
    await beat(world, 'node-b', 'shared-1');
    await world.rest();
    await beating(world, 120, ['node-c', 'shared-1']);
    expect(nodeOf(world)).toBe('node-c');
  });

  it('is left alone once it is Ready', async () => {
    const world = new World();
    await world.create(kinds.podSnapshotContent, provided());
    await beat(world, 'node-b', 'shared-1');
    await world.rest();
    await world.status(kinds.podSnapshotContent, '', 'imported', capturedStatus);
    await beating(world, 400, ['node-c', 'shared-1']);
    expect(nodeOf(world)).toBe('node-b');
  });

  it('that no agent ever had is let go at once when it is deleted', async () => {
    const world = new World();
    const metadata = { finalizers: [finalizers.content] };
    await world.create(kinds.podSnapshotContent, provided({}, metadata));
    await world.rest();
    await world.remove(kinds.podSnapshotContent, '', 'imported');
    await world.rest();
    expect(world.contents.list()).toEqual([]);
  });

  it('whose label somebody took off is given to an agent again, so that its bytes can be deleted', async () => {
    const world = new World();
    const metadata = { finalizers: [finalizers.content] };
    await world.create(kinds.podSnapshotContent, provided({}, metadata));
    await beat(world, 'node-b', 'shared-1');
    await world.rest();
    await world.status(kinds.podSnapshotContent, '', 'imported', capturedStatus);
    await change(world, kinds.podSnapshotContent, 'imported', {
      metadata: { labels: { [labels.node]: null } },
    });
    await world.remove(kinds.podSnapshotContent, '', 'imported');
    await beat(world, 'node-b', 'shared-1');
    await world.rest();
    expect(nodeOf(world)).toBe('node-b');
  });
});
