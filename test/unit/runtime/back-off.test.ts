import fc from 'fast-check';
import { expect, it } from 'vitest';
import { backOffMilliseconds, queueBackOff } from '../../../runtime/back-off.ts';

const middle = (): number => 0.5;

it('starts at the first delay and doubles', () => {
  const delays = [1, 2, 3, 4].map((n) => backOffMilliseconds(queueBackOff, n, middle));
  expect(delays).toEqual([5, 10, 20, 40]);
});

it('stays between nothing and the limit with its jitter, however often it failed', () => {
  const bounded = fc.property(
    fc.integer({ min: 0, max: 1e9 }),
    fc.double({ min: 0, max: 0.999, noNaN: true }),
    (failures, random) => {
      const delay = backOffMilliseconds(queueBackOff, failures, () => random);
      expect(delay).toBeGreaterThanOrEqual(4);
      expect(delay).toBeLessThanOrEqual(360_000);
    },
  );
  fc.assert(bounded);
});
