import { expect, test } from 'vitest';
import { runControlPlane } from '../bench/control-plane/run.ts';
import { isMet } from '../bench/figures.ts';

const silent = (): void => undefined;

test('the bench of the control plane measures writes, hops and memory of a small cluster', async () => {
  const { goals, data } = await runControlPlane({
    bedName: 'bench-small',
    agents: 2,
    atRest: 20,
    perSecond: 4,
    inFlight: 4,
    plateauSeconds: 1,
    log: silent,
  });
  expect(data).toMatchObject({ captured: 8, failed: 0 });
  expect(goals.every(({ value }) => Number.isFinite(value))).toBe(true);
  // Counts do not depend on how busy the machine is; times do.
  const counts = goals.filter(({ what }) => what.startsWith('writes') || what.startsWith('lists'));
  expect(counts).toHaveLength(3);
  expect(counts.filter((goal) => !isMet(goal))).toEqual([]);
});
