import { findCondition } from '../../../../core/api/conditions.ts';
import { kinds } from '../../../../core/api/kinds.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { failedStatus, jobsAct, snapshotJobManifest } from './cluster.ts';
import { World } from './world.ts';

/** A world with a SnapshotJob `once`, at rest. */
export async function worldWith(spec: RawObject = {}): Promise<World> {
  const world = new World();
  await world.create(kinds.snapshotJob, snapshotJobManifest('once', spec));
  await world.rest();
  return world;
}

/** One whose pod is on a node and whose capture is under way. */
export async function capturing(spec: RawObject = {}): Promise<World> {
  const world = await worldWith(spec);
  await jobsAct(world, 'node-a');
  await world.rest();
  return world;
}

/** The Job controller ends its Job. */
export const jobEnds = (world: World, type: string, reason: string): Promise<void> =>
  world.status(kinds.job, 'default', 'once', {
    conditions: [{ type, status: 'True', reason, message: 'said the Job controller' }],
  });

/** The agent fails its order. */
export const orderEnds = (world: World, reason: string): Promise<void> => {
  const order = world.contentOf('once')?.metadata.name ?? '';
  return world.status(kinds.podSnapshotContent, '', order, failedStatus(reason, 'No.'));
};

/** Its conditions. */
export const conditionsOf = (world: World) => world.snapshotJob('once')?.status.conditions ?? [];
/** Its condition Failed, if True. */
export const failure = (world: World) => {
  const failed = findCondition(conditionsOf(world), 'Failed');
  return failed?.status === 'True' ? failed : undefined;
};
/** Its conditions as `status/reason` by type. */
export const inShort = (world: World): Readonly<Record<string, string>> =>
  Object.fromEntries(
    conditionsOf(world).map(({ type, status, reason }) => [type, `${status}/${reason}`]),
  );
