import { expect, it } from 'vitest';
import { together } from '../../../../agent/restore/observe.ts';
import type { PlaceholderView } from '../../../../agent/restore/observed.ts';

const ready = (restarts: number): PlaceholderView => ({ state: 'ready', restarts });
const waiting: PlaceholderView = { state: 'waiting', message: 'not yet' };

it.each<[string, readonly PlaceholderView[], PlaceholderView]>([
  ['all complete', [{ state: 'complete' }, { state: 'complete' }], { state: 'complete' }],
  ['one restarted beside one that runs', [{ state: 'complete' }, ready(1)], ready(1)],
  ['one not there yet', [ready(0), waiting], waiting],
  ['one half done', [{ state: 'complete' }, waiting, { state: 'begun' }], { state: 'begun' }],
  ['one failed', [ready(0), { state: 'failed' }], { state: 'failed' }],
  ['the one restarted most often', [ready(0), ready(2)], ready(2)],
])('containers together are %s', (_, views, expected) => {
  expect(together(views)).toEqual(expected);
});

it('a pod without containers is never ready to be restored', () => {
  expect(together([]).state).toBe('waiting');
});
