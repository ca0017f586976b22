import { expect, test } from 'vitest';
import { FreezeOutlook } from '../../../../agent/order/freeze-outlook.ts';

const gibibyte = 2 ** 30;

test('before anything was measured a plain disk is assumed', () => {
  const expected = new FreezeOutlook().expectedMilliseconds(gibibyte, 'Resume');
  expect(expected).toBeGreaterThan(3000);
  expect(expected).toBeLessThan(10_000);
});

test('a node that was seen to dump a GiB in a second is expected to do so again', () => {
  const outlook = new FreezeOutlook();
  for (let time = 0; time < 20; time += 1) outlook.dumped(gibibyte, 1000);
  outlook.dumped(gibibyte, 60_000);
  expect(outlook.expectedMilliseconds(gibibyte, 'Resume')).toBe(1500);
  expect(outlook.expectedMilliseconds(2 * gibibyte, 'Resume')).toBe(2500);
});

test('a small dump says nothing about the rate', () => {
  const outlook = new FreezeOutlook();
  outlook.dumped(1000, 600);
  expect(outlook.expectedMilliseconds(gibibyte, 'Resume')).toBe(
    new FreezeOutlook().expectedMilliseconds(gibibyte, 'Resume'),
  );
});

test('a source that is to be ended stands still until its artifact is stored', () => {
  const outlook = new FreezeOutlook();
  outlook.dumped(gibibyte, 1000);
  outlook.published(gibibyte, 10_000);
  expect(outlook.expectedMilliseconds(gibibyte, 'Terminate')).toBe(11_500);
});
