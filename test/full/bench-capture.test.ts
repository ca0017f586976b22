import { expect, test } from 'vitest';
import { captureResult } from '../bench/capture/result.ts';
import { measureCaptures } from '../bench/capture/run.ts';
import { attachSharedBed } from '../e2e/cluster.ts';

test('the bench of captures measures Cryopod and every baseline on the same pod', async () => {
  const figures = await measureCaptures(await attachSharedBed(), {
    sizes: [16],
    contents: ['text'],
    rounds: 1,
    warmUp: false,
    idleSeconds: 1,
    log: () => undefined,
  });
  expect(figures.sources.map(({ name }) => name)).toEqual(['loop', 'text-16']);
  for (const { rounds } of figures.sources) {
    expect(rounds).toHaveLength(1);
    for (const value of rounds.flatMap((round) => Object.values(round))) {
      expect(value).toBeGreaterThan(0);
    }
  }
  const { goals } = captureResult(figures);
  expect(goals.every(({ value }) => Number.isFinite(value))).toBe(true);
});
