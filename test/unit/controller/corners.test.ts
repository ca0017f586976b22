import { describe, expect, it } from 'vitest';
import { findCondition } from '../../../core/api/conditions.ts';
import { kinds } from '../../../core/api/kinds.ts';
import {
  beat,
  checkpointManifest,
  failedStatus,
  jobsAct,
  podObject,
  snapshotManifest,
} from './support/cluster.ts';
import { change, orderStatus, worldWithPod } from './support/one-snapshot.ts';
import { World } from './support/world.ts';

/** The condition Failed of the snapshot `one`. */
const failed = (world: World) =>
  findCondition(world.snapshot('one')?.status.conditions ?? [], 'Failed');

describe('in the corners of the tables', () => {
  it('a snapshot of a pod that is being deleted fails with SourcePodGone', async () => {
    const world = new World();
    const pod = podObject('web', { node: 'node-a' });
    const metadata = { name: 'web', namespace: 'default', finalizers: ['example.com/slow'] };
    await world.create(kinds.pod, { ...pod, metadata });
    await world.remove(kinds.pod, 'default', 'web');
    await world.create(kinds.podSnapshot, snapshotManifest('one', { name: 'web' }));
    await world.rest();
    expect(failed(world)).toMatchObject({ status: 'True', reason: 'SourcePodGone' });
    expect(failed(world)?.message).toContain('being deleted');
  });

  it('a snapshot whose order vanishes in the middle does not claim to know what became of the source', async () => {
    const world = await worldWithPod();
    await world.rest();
    await world.clock.advance(1_500);
    await orderStatus(world, { stage: 'Publishing', startedAt: '2026-01-01T00:00:01Z' });
    await world.rest();
    const { name = '' } = world.contentOf('one')?.metadata ?? {};
    await change(world, kinds.podSnapshotContent, name, { metadata: { finalizers: [] } });
    await world.remove(kinds.podSnapshotContent, '', name);
    await world.rest();
    expect(failed(world)).toMatchObject({ status: 'True', reason: 'ContentLost' });
    expect(failed(world)?.message).toContain('unknown');
  });

  it('a checkpoint whose capture failed for a reason it does not know fails with CheckpointFailed and the words', async () => {
    const world = new World();
    await world.create(kinds.dynamoCheckpoint, checkpointManifest('counter'));
    await world.rest();
    await jobsAct(world, 'node-a');
    await beat(world, 'node-a');
    await world.rest();
    const { name = '' } = world.contentOf('counter')?.metadata ?? {};
    const unheardOf = failedStatus('UnheardOf', 'Said by a newer agent.');
    await world.status(kinds.podSnapshotContent, '', name, unheardOf);
    await world.rest();
    const { conditions = [], phase } = world.checkpoint('counter')?.status ?? {};
    expect(phase).toBe('Failed');
    expect(findCondition(conditions, 'Failed')).toMatchObject({ reason: 'CheckpointFailed' });
    expect(findCondition(conditions, 'Failed')?.message).toContain('Said by a newer agent.');
  });
});
