import { describe, expect, it } from 'vitest';
import { kinds } from '../../../core/api/kinds.ts';
import {
  agentsAct,
  beat,
  checkpointManifest,
  jobsAct,
  podObject,
  snapshotManifest,
} from './support/cluster.ts';
import { Crash, World } from './support/world.ts';

type Case = {
  readonly name: string;
  readonly create: (world: World) => Promise<unknown>;
  readonly remove: (world: World) => Promise<void>;
};

const cases: readonly Case[] = [
  {
    name: 'DynamoCheckpoint',
    create: (world) => world.create(kinds.dynamoCheckpoint, checkpointManifest('one')),
    remove: (world) => world.remove(kinds.dynamoCheckpoint, 'default', 'one'),
  },
  {
    name: 'PodSnapshot',
    create: async (world) => {
      await world.create(kinds.pod, podObject('web', { node: 'node-a' }));
      await world.create(kinds.podSnapshot, snapshotManifest('one', { name: 'web' }));
    },
    remove: (world) => world.remove(kinds.podSnapshot, 'default', 'one'),
  },
];

/** Everybody in the cluster has a turn: agent, Job controller, garbage collector. */
async function turn(world: World): Promise<void> {
  await beat(world, 'node-a');
  await world.rest();
  await jobsAct(world, 'node-a');
  await world.rest();
  await agentsAct(world);
  await world.rest();
  await world.kube.collectGarbage();
  await world.pass(10);
}

/** A life that is cut at the n-th write of the controller, where a new controller finds the object deleted. Whether it got so far. */
async function deletedAt(
  one: Case,
  cut: number,
): Promise<{ readonly world: World; readonly wasCut: boolean }> {
  const world = new World();
  await one.create(world);
  let left = cut;
  let wasCut = false;
  world.kube.after = ({ verb, kind }) => {
    const byOthers = kind === 'Lease' || kind === 'Pod';
    if (['get', 'list', 'watch'].includes(verb) || byOthers || wasCut) return;
    left -= 1;
    if (left > 0) return;
    wasCut = true;
    throw new Crash('cut');
  };
  try {
    for (let times = 0; times < 3; times += 1) await turn(world);
  } catch (error) {
    if (!(error instanceof Crash)) throw error;
  }
  world.kube.after = () => {};
  world.restart();
  await one.remove(world);
  for (let times = 0; times < 6; times += 1) await turn(world);
  return { world, wasCut };
}

describe.each(cases)('a $name that is deleted', (one) => {
  it('at any moment leaves no Job, no snapshot, no content and no byte', async () => {
    let cut = 1;
    for (; cut < 60; cut += 1) {
      const { world, wasCut } = await deletedAt(one, cut);
      const left = {
        checkpoints: world.checkpoints.list().length,
        jobs: world.jobs.list().length,
        snapshots: world.snapshots.list().length,
        contents: world.contents.list().length,
      };
      expect(left, `cut at write ${cut}`).toEqual({
        ...{ checkpoints: 0, jobs: 0, snapshots: 0, contents: 0 },
      });
      if (!wasCut) break;
    }
    // Every write of a whole life was a cut once.
    expect(cut).toBeGreaterThan(4);
    expect(cut).toBeLessThan(60);
  });
});
