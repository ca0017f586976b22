import { describe, expect, it } from 'vitest';
import { kinds } from '../../../../core/api/kinds.ts';
import { agentsAct, beat, jobsAct, snapshotJobManifest } from '../support/cluster.ts';
import { cutWrites } from '../support/cut-writes.ts';
import { World } from '../support/world.ts';

/** The whole life of a SnapshotJob: created, captured, its Job cleared away, deleted. */
async function life(world: World, survive: (work: () => Promise<void>) => Promise<void>) {
  await world.create(kinds.snapshotJob, snapshotJobManifest('once'));
  for (let turn = 0; turn < 3; turn += 1) {
    await survive(() => world.rest());
    await jobsAct(world, 'node-a');
    await beat(world, 'node-a');
    await survive(() => world.rest());
    await agentsAct(world);
    await survive(() => world.pass(20));
  }
  const { conditions = [] } = world.snapshotJob('once')?.status ?? {};
  return {
    conditions: conditions.map(({ type, status, reason }) => `${type}=${status}/${reason}`),
    snapshots: world.snapshots.list().map(({ metadata, status }) => [metadata.name, status.stage]),
    jobs: world.jobs.list().length,
  };
}

/** A life in which the n-th write of a controller is cut, before or after it took effect. */
async function cutLife(cut: number, when: 'before' | 'after') {
  const world = new World();
  const { survive, writes } = cutWrites(world, cut, when);
  const ends = await life(world, survive);
  return { ends, writes: writes(), world };
}

describe('a controller that dies at any write of a SnapshotJob', () => {
  it.each(['before', 'after'] as const)(
    'ends in the same state when it is cut %s the write took effect, with one Job and one snapshot',
    async (when) => {
      const { ends: calm, writes: total } = await cutLife(0, when);
      expect(calm).toEqual({
        conditions: [
          'Running=False/CaptureCompleted',
          'Ready=True/Captured',
          'Progressing=False/Captured',
          'Captured=True/CaptureCompleted',
          'Failed=False/CaptureCompleted',
          'Completed=True/CaptureCompleted',
        ],
        snapshots: [['once', 'Captured']],
        jobs: 0,
      });
      expect(total).toBeGreaterThan(6);
      for (let cut = 1; cut <= total; cut += 1) {
        const { ends, world } = await cutLife(cut, when);
        expect(ends, `cut ${when} write ${cut}`).toEqual(calm);
        for (const kind of ['Job', 'PodSnapshot']) {
          const made = world.kube.writes.filter(
            (write) => write.verb === 'create' && write.kind === kind,
          );
          expect(made.length, kind).toBeLessThanOrEqual(2);
        }
      }
    },
  );
});
