import { describe, expect, it } from 'vitest';
import { kinds } from '../../../core/api/kinds.ts';
import { agentsAct, beat, checkpointManifest, jobsAct } from './support/cluster.ts';
import { cutWrites } from './support/cut-writes.ts';
import { World } from './support/world.ts';

/**
 * The whole life of a checkpoint with everything around it: created, captured, deleted. Crashes end the controller and start a new one;
 * the agents and the Job controller act as in a cluster.
 */
async function life(world: World, survive: (work: () => Promise<void>) => Promise<void>) {
  await world.create(kinds.dynamoCheckpoint, checkpointManifest('counter', { backoffLimit: 1 }));
  const everybody = async (): Promise<void> => {
    await survive(() => world.rest());
    await jobsAct(world, 'node-a');
    await beat(world, 'node-a');
    await survive(() => world.rest());
    await agentsAct(world);
    await survive(() => world.pass(20));
  };
  for (let turn = 0; turn < 3; turn += 1) await everybody();
  const captured = summary(world);
  await world.remove(kinds.podSnapshot, 'default', 'counter');
  for (let turn = 0; turn < 3; turn += 1) await everybody();
  return { captured, gone: summary(world) };
}

/** What must be the same whatever happened on the way. */
function summary(world: World) {
  return {
    phase: world.checkpoint('counter')?.status.phase,
    snapshots: world.snapshots.list().map(({ metadata, status }) => [metadata.name, status.stage]),
    contents: world.contents.list().map(({ status }) => status.stage),
    jobs: world.jobs.list().map(({ metadata }) => metadata.name.slice(-2)),
  };
}

const uninterrupted = { survive: (work: () => Promise<void>) => work() };

/** Runs a life in which the n-th write of a controller is cut, before or after it took effect. */
async function cutLife(cut: number, when: 'before' | 'after') {
  const world = new World();
  const { survive, writes } = cutWrites(world, cut, when);
  const ends = await life(world, survive);
  return { ends, writes: writes(), world };
}

describe('a controller that dies at any write', () => {
  it.each(['before', 'after'] as const)(
    'ends in the same state when it is cut %s the write took effect',
    async (when) => {
      const calm = await life(new World(), uninterrupted.survive);
      expect(calm.captured).toEqual({
        phase: 'Ready',
        snapshots: [['counter', 'Captured']],
        contents: ['Captured'],
        jobs: [],
      });
      expect(calm.gone).toMatchObject({ snapshots: [], contents: [], jobs: [] });
      const { writes: total } = await cutLife(0, when);
      expect(total).toBeGreaterThan(8);
      for (let cut = 1; cut <= total; cut += 1) {
        const { ends, world } = await cutLife(cut, when);
        expect(ends, `cut ${when} write ${cut}`).toEqual(calm);
        // One order for one incarnation: nobody ever made a second one.
        const creates = world.kube.writes.filter(
          ({ verb, kind }) => verb === 'create' && kind === 'PodSnapshotContent',
        );
        expect(creates.length).toBeLessThanOrEqual(2);
      }
    },
  );
});
