import { expect, it } from 'vitest';
import { findCondition } from '../../../../core/api/conditions.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import { agentsAct, checkpointManifest, failedStatus, jobsAct } from '../support/cluster.ts';
import { World } from '../support/world.ts';

/** A world with a checkpoint `counter` that is Ready. */
async function ready(): Promise<World> {
  const world = new World();
  await world.create(kinds.dynamoCheckpoint, checkpointManifest('counter'));
  await world.rest();
  await jobsAct(world, 'node-a');
  await world.rest();
  await agentsAct(world);
  await world.rest();
  expect(world.checkpoint('counter')?.status.phase).toBe('Ready');
  return world;
}

const conditionOf = (world: World, type: string) =>
  findCondition(world.checkpoint('counter')?.status.conditions ?? [], type);

it('a checkpoint is Ready no more when the bytes of its snapshot are found gone', async () => {
  const world = await ready();
  const content = world.contentOf('counter')?.metadata.name ?? '';
  const lost = failedStatus('ArtifactLost', 'The store has lost it.');
  await world.status(kinds.podSnapshotContent, '', content, lost);
  await world.rest();
  expect(world.checkpoint('counter')?.status.phase).toBe('Failed');
  expect(conditionOf(world, 'Failed')).toMatchObject({ status: 'True', reason: 'ArtifactLost' });
  expect(conditionOf(world, 'Ready')).toMatchObject({ status: 'False', reason: 'ArtifactLost' });
});

it('a checkpoint is Ready no more when its snapshot is deleted, but not before the snapshot is gone', async () => {
  const world = await ready();
  await world.remove(kinds.podSnapshot, 'default', 'counter');
  await world.rest();
  expect(world.checkpoint('counter')?.status.phase).toBe('Ready');
  await agentsAct(world);
  await world.rest();
  expect(conditionOf(world, 'Failed')).toMatchObject({ status: 'True', reason: 'SnapshotDeleted' });
});

it('a checkpoint is Ready no more when another snapshot has the name of its own', async () => {
  const world = await ready();
  await world.remove(kinds.podSnapshot, 'default', 'counter');
  await world.rest();
  await agentsAct(world);
  // The second one lets the snapshot go; the checkpoint has not looked since.
  await world.round();
  await world.round();
  const source = { podRef: { name: 'nobody', containers: ['main'] } };
  const metadata = { name: 'counter', namespace: 'default' };
  await world.create(kinds.podSnapshot, { metadata, spec: { source } });
  await world.rest();
  expect(conditionOf(world, 'Failed')).toMatchObject({ status: 'True', reason: 'SnapshotDeleted' });
});
