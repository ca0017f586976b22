import { describe, expect, it } from 'vitest';
import { kinds } from '../../../../core/api/kinds.ts';
import type { RawObject } from '../../../../runtime/kube-port.ts';
import { cutWrites } from '../support/cut-writes.ts';
import {
  agentSays,
  inShort,
  isCold,
  livePods,
  podRestoreManifest,
  restorePod,
  worldWithSnapshot,
} from '../support/one-pod-restore.ts';
import type { World } from '../support/world.ts';

type Life = {
  readonly spec: RawObject;
  /** What the agent says of the first pod. */
  readonly said: string | undefined;
  readonly deleted: boolean;
  /** The first pod ends with it. */
  readonly ends?: true;
};

async function live(
  world: World,
  life: Life,
  survive: (work: () => Promise<void>) => Promise<void>,
) {
  await world.create(
    kinds.podRestore,
    podRestoreManifest('again', { maxAttempts: 1, ...life.spec }),
  );
  await survive(() => world.rest());
  const placeholder = restorePod(world);
  if (life.said !== undefined && placeholder !== undefined && !isCold(placeholder)) {
    await agentSays(world, { reason: life.said, attempts: 1 });
    if (life.ends) await world.status(kinds.pod, 'default', 'again', { phase: 'Failed' });
  }
  await survive(() => world.pass(20));
  if (life.deleted) await world.remove(kinds.podRestore, 'default', 'again');
  await survive(() => world.rest());
  return {
    restores: world.podRestores.list().map(({ status }) => status.phase),
    conditions: inShort(world),
    pods: livePods(world).map(isCold),
  };
}

/** A life in which the n-th write of a controller is cut, before or after it took effect. */
async function cutLife(life: Life, cut: number, when: 'before' | 'after') {
  const world = await worldWithSnapshot();
  const { survive, writes } = cutWrites(world, cut, when);
  let most = 0;
  const cutting = world.kube[when];
  world.kube[when] = (call) => {
    most = Math.max(most, livePods(world).length);
    return cutting(call);
  };
  const ends = await live(world, life, survive);
  return { ends, writes: writes(), most };
}

describe('a controller that dies at any write of a PodRestore', () => {
  it.each<readonly [string, Life, RawObject]>([
    [
      'that is restored',
      { spec: {}, said: 'RestoreSucceeded', deleted: false },
      { restores: ['Restored'], pods: [false] },
    ],
    [
      'that fails',
      { spec: {}, said: 'RestoreFailed', deleted: false },
      { restores: ['Failed'], pods: [] },
    ],
    [
      'that is tried again in another pod',
      { spec: { maxAttempts: 2 }, said: 'RestoreFailed', deleted: false, ends: true },
      { restores: ['Scheduling'], pods: [false] },
    ],
    [
      'that starts cold',
      { spec: { onFailure: 'ColdStart' }, said: 'RestoreFailed', deleted: false },
      { restores: ['StartedCold'], pods: [true] },
    ],
    [
      'that is deleted under way',
      { spec: {}, said: undefined, deleted: true },
      { restores: [], pods: [] },
    ],
    [
      'that is restored and deleted',
      { spec: {}, said: 'RestoreSucceeded', deleted: true },
      { restores: [], pods: [false] },
    ],
  ])(
    '%s ends in the same state, with one pod at most at any time',
    async (_name, life, expected) => {
      for (const when of ['before', 'after'] as const) {
        const { ends: calm, writes: total } = await cutLife(life, 0, when);
        expect(calm).toMatchObject(expected);
        expect(total).toBeGreaterThan(3);
        for (let cut = 1; cut <= total; cut += 1) {
          const { ends, most } = await cutLife(life, cut, when);
          expect(ends, `cut ${when} write ${cut}`).toEqual(calm);
          expect(most).toBeLessThanOrEqual(1);
        }
      }
    },
  );
});
