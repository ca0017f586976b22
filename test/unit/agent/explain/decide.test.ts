import { expect, test } from 'vitest';
import { decideExplanation } from '../../../../agent/explain/decide.ts';

const minute = 60_000;

test.each([
  ['asked', undefined, { do: 'answer' }],
  ['asked', 0, { do: 'answer' }],
  ['asked', 10 * minute, { do: 'answer' }],
  ['asked', 10 * minute + 1, { do: 'remove' }],
  ['answered', undefined, { do: 'keep', milliseconds: 10 * minute + 1 }],
  ['answered', 4 * minute, { do: 'keep', milliseconds: 6 * minute + 1 }],
  ['answered', 11 * minute, { do: 'remove' }],
  ['going', 11 * minute, { do: 'nothing' }],
] as const)('an explanation that is %s and %s ms old: %j', (state, ageMilliseconds, action) => {
  expect(decideExplanation({ state, ageMilliseconds })).toEqual(action);
});
