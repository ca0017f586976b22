import { expect, it } from 'vitest';
import { placesOf } from '../../../../agent/restore/criu/put-files.ts';
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

type Mounts = readonly { path: string; treatment: 'volume'; volume?: string; subPath?: string }[];
const entrance = (name: string, mounts: Mounts) =>
  ({ target: { container: { name, mounts } } }) as unknown as Parameters<
    typeof placesOf
  >[1][number];
const pathsOf = (volume: string, ...all: ReturnType<typeof entrance>[]): readonly string[] =>
  placesOf(volume, all).map(({ path, subPath }) => `${path}:${subPath}`);

it('a volume is put once, through a container that sees all of it', () => {
  const part = entrance('a', [
    { path: '/part', treatment: 'volume', volume: 'data', subPath: 'x' },
  ]);
  const whole = entrance('b', [{ path: '/all', treatment: 'volume', volume: 'data' }]);
  expect(pathsOf('data', part, whole)).toEqual(['/all:']);
});

it('a volume that nobody sees whole is put part by part, each once', () => {
  const mount = (path: string, subPath: string) =>
    ({ path, treatment: 'volume', volume: 'data', subPath }) as const;
  const one = entrance('a', [mount('/x', 'x'), mount('/y', 'y')]);
  const other = entrance('b', [mount('/also', 'x')]);
  expect(pathsOf('data', one, other)).toEqual(['/x:x', '/y:y']);
});

it('the one volume of old artifacts, which had no name in its mount, is the shared memory', () => {
  expect(pathsOf('dev-shm', entrance('a', [{ path: '/dev/shm', treatment: 'volume' }]))).toEqual([
    '/dev/shm:',
  ]);
});
