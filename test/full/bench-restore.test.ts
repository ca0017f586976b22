import { expect, test } from 'vitest';
import { restoreResult } from '../bench/restore/result.ts';
import { measureRestores } from '../bench/restore/run.ts';
import { attachSharedBed } from '../e2e/cluster.ts';

test('the bench of restores measures Cryopod and bare CRIU on the same images', async () => {
  const figures = await measureRestores(await attachSharedBed(), {
    sizes: [16],
    parallel: { mebibytes: 8, counts: [2] },
    rounds: 1,
    warmUp: false,
    log: (line) => console.log(line),
  });
  expect(figures.singles.map(({ name }) => name)).toEqual(['loop', 'mib-16']);
  expect(figures.parallel.map(({ count }) => count)).toEqual([2]);
  const rounds = [...figures.singles, ...figures.parallel].flatMap((one) => one.rounds);
  expect(rounds).toHaveLength(3);
  for (const { cryopod, bare } of rounds) {
    for (const { running, answered } of [cryopod, bare]) {
      expect(running).toBeGreaterThan(0);
      // The answer holds when the process ran.
      expect(answered).toBeGreaterThanOrEqual(running);
    }
  }
  const { goals, tables } = restoreResult(figures);
  console.log(JSON.stringify(tables));
  expect(goals.every(({ value }) => Number.isFinite(value))).toBe(true);
});
