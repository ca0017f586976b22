import { expect, it } from 'vitest';
import { kinds } from '../../../core/api/kinds.ts';
import { Failure } from '../../../core/failure.ts';
import type { RawObject, WatchEvent } from '../../../runtime/kube-port.ts';
import { silentLog } from '../../../runtime/log.ts';
import { identityOf, recordAt } from '../../../runtime/raw-object.ts';
import { Reflector } from '../../../runtime/reflector.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import {
  page,
  rawObject,
  ScriptedKube,
  type ScriptedList,
  type ScriptedStream,
} from '../../support/scripted-kube.ts';

const kind = kinds.pod;
const pod = (name: string, version: string, labels = {}): RawObject =>
  rawObject(kind, name, version, labels);
const added = (object: RawObject): WatchEvent => ({ type: 'ADDED', object });
const bookmark = (resourceVersion: string): WatchEvent => ({
  type: 'BOOKMARK',
  object: { kind: 'Pod', metadata: { resourceVersion } },
});
const inStream = (code: number, reason: string): WatchEvent => ({
  type: 'ERROR',
  object: { kind: 'Status', code, reason },
});
const forever = new Promise<never>(() => {});
const expired = new Failure('gone', 'Expired', 'too old');
const unavailable = new Failure('retry', 'ServiceUnavailable', 'starting');

function run(
  lists: readonly ScriptedList[],
  streams: readonly ScriptedStream[],
  part: { readonly labelSelector?: string } = { labelSelector: 'a=b' },
) {
  const clock = new FakeClock();
  const kube = new ScriptedKube({ lists, streams });
  const stop = new AbortController();
  const changes: string[] = [];
  const restarts: string[] = [];
  const hooks = { onChange: () => {} };
  const reflector = new Reflector({
    kube,
    clock,
    random: () => 0.5,
    log: silentLog,
    observer: { listed: () => {}, restarted: (reason) => void restarts.push(reason) },
    selection: { kind, ...part },
    parse: (raw) =>
      identityOf(raw).name.startsWith('bad')
        ? { ok: false, message: 'metadata.name: bad' }
        : { ok: true, value: raw },
    onChange: (key, object) => {
      changes.push(
        object === undefined ? `-${key}` : `${key}@${identityOf(object).resourceVersion}`,
      );
      hooks.onChange();
    },
    indexes: { team: (raw) => [String(recordAt(recordAt(raw, 'metadata'), 'labels').team)] },
    silenceMilliseconds: 150_000,
  });
  const finished = reflector.run(stop.signal);
  return { clock, kube, reflector, changes, restarts, hooks, stop, finished };
}

it('asks for pages of a whole kind, which the server would not give from its cache', async () => {
  const { kube, reflector } = run([page([pod('a', '3')], '10')], [[forever]], {});
  await reflector.synced;
  expect(kube.lists).toMatchObject([{ limit: 100 }]);
  expect(kube.lists[0]).not.toHaveProperty('resourceVersion');
});

it('lists in pages, then watches from the version of the last page with bookmarks in mind', async () => {
  const { clock, kube, changes, reflector } = run(
    [page([pod('a', '3')], '10', 'more'), page([pod('b', '4')], '10')],
    [[added(pod('c', '11')), forever]],
  );
  await reflector.synced;
  await clock.advance(0);
  expect(kube.lists).toMatchObject([
    { labelSelector: 'a=b', limit: 100, resourceVersion: '0' },
    { labelSelector: 'a=b', limit: 100, continue: 'more' },
  ]);
  expect(kube.lists[1]).not.toHaveProperty('resourceVersion');
  expect(kube.watches).toMatchObject([
    { labelSelector: 'a=b', resourceVersion: '10', timeoutSeconds: 450 },
  ]);
  expect(changes).toEqual(['default/a@3', 'default/b@4', 'default/c@11']);
  expect(reflector.state).toBe('streaming');
});

it('is synced only after the last page', async () => {
  const { clock, reflector } = run([page([], '1', 'more'), unavailable, page([], '2')], []);
  let synced = false;
  void reflector.synced.then(() => {
    synced = true;
  });
  await clock.advance(799);
  expect(synced).toBe(false);
  await clock.advance(1);
  expect(synced).toBe(true);
});

it('finds objects by key and by index, and forgets them there when they change or go', async () => {
  const change: WatchEvent = { type: 'MODIFIED', object: pod('a', '11', { team: 'blue' }) };
  const gone: WatchEvent = { type: 'DELETED', object: pod('b', '12', { team: 'red' }) };
  let proceed = (): void => {};
  const pause = new Promise<void>((resolve) => {
    proceed = resolve;
  });
  const first = page([pod('a', '3', { team: 'red' }), pod('b', '4', { team: 'red' })], '10');
  const { clock, reflector } = run([first], [[pause, change, gone, forever]]);
  const names = (team: string): string[] =>
    reflector.byIndex('team', team).map((raw) => identityOf(raw).name);
  await reflector.synced;
  expect(names('red')).toEqual(['a', 'b']);
  proceed();
  await clock.advance(0);
  expect(names('red')).toEqual([]);
  expect(names('blue')).toEqual(['a']);
  expect(reflector.get('default/b')).toBeUndefined();
  expect(reflector.size).toBe(1);
});

it('drops managedFields', async () => {
  const { reflector } = run([page([pod('a', '3')], '10')], []);
  await reflector.synced;
  expect(recordAt(reflector.get('default/a') ?? {}, 'metadata').managedFields).toBeUndefined();
});

it('goes on from the last version heard when the server closes the stream, without a list', async () => {
  let close = (): void => {};
  const open = new Promise<void>((resolve) => {
    close = resolve;
  });
  const { clock, kube, restarts } = run([page([], '10')], [[bookmark('70'), open], [forever]]);
  await clock.advance(60_000);
  close();
  await clock.advance(0);
  expect(kube.watches.map((watch) => watch.resourceVersion)).toEqual(['10', '70']);
  expect(kube.lists).toHaveLength(1);
  expect(restarts).toEqual(['Closed']);
});

it('comes back after an error on list or watch, as often as it takes', async () => {
  const { clock, kube, restarts, reflector } = run(
    [unavailable, new Failure('retry', 'ConnectionFailed', 'refused'), page([], '10')],
    [[unavailable], [new Failure('terminal', 'Forbidden', 'no')], [added(pod('a', '11')), forever]],
  );
  await clock.advance(60_000);
  expect(restarts).toEqual([
    'ServiceUnavailable',
    'ConnectionFailed',
    'ServiceUnavailable',
    'Forbidden',
  ]);
  expect(reflector.get('default/a')).toBeDefined();
  expect(kube.openStreams).toBe(1);
});

it.each([
  ['as an answer', [expired]],
  ['inside the stream', [inStream(410, 'Expired')]],
] as const)(
  'lists again after 410 %s, from the server itself and not its cache',
  async (_how, stream) => {
    const { clock, kube, changes, reflector } = run(
      [page([pod('a', '3'), pod('b', '4')], '10'), page([pod('b', '4'), pod('c', '40')], '50')],
      [stream, [forever]],
    );
    await clock.advance(1000);
    expect(kube.lists).toHaveLength(2);
    expect(kube.lists[1]).not.toHaveProperty('resourceVersion');
    expect(kube.watches[1]?.resourceVersion).toBe('50');
    // b has not changed: nobody is told again.
    expect(changes).toEqual(['default/a@3', 'default/b@4', 'default/c@40', '-default/a']);
    expect(reflector.size).toBe(2);
  },
);

it.each([403, 429, 500])(
  'ends the stream on an in-stream error %i and watches again',
  async (code) => {
    const { clock, kube, restarts } = run([page([], '10')], [[inStream(code, 'Oops')], [forever]]);
    await clock.advance(1000);
    expect(restarts).toEqual(['Oops']);
    expect(kube.watches).toHaveLength(2);
    expect(kube.lists).toHaveLength(1);
  },
);

it('does not list in a tight loop when every watch says 410', async () => {
  const { clock, kube } = run([page([], '10')], Array(1000).fill([expired]));
  await clock.advance(600_000);
  expect(kube.lists.length).toBeLessThan(30);
  expect(kube.openStreams).toBe(0);
});

it('does not watch in a tight loop when every stream is closed at once', async () => {
  const { clock, kube } = run([page([], '10')], Array(1000).fill([]));
  await clock.advance(600_000);
  expect(kube.watches.length).toBeLessThan(30);
});

it('waits at least as long as the server asks', async () => {
  const busy = new Failure('retry', 'TooManyRequests', 'x', { retryAfterMilliseconds: 20_000 });
  const { clock, kube, reflector } = run([busy, page([], '10')], []);
  await clock.advance(19_999);
  expect(kube.lists).toHaveLength(1);
  expect(reflector.state).toBe('waiting');
  await clock.advance(1);
  expect(kube.lists).toHaveLength(2);
});

it('restarts a watch that says nothing, not one that says bookmarks', async () => {
  const clockTicks = (until: Promise<void>): ScriptedStream => [until, bookmark('11'), forever];
  let tick = (): void => {};
  const ticked = new Promise<void>((resolve) => {
    tick = resolve;
  });
  const { clock, kube, restarts, reflector } = run([page([], '10')], [clockTicks(ticked)]);
  await clock.advance(149_000);
  expect(reflector.silentForMilliseconds()).toBe(149_000);
  tick();
  await clock.advance(149_999);
  expect(restarts).toEqual([]);
  await clock.advance(1);
  expect(restarts).toEqual(['Silent']);
  await clock.advance(1000);
  expect(kube.watches[1]?.resourceVersion).toBe('11');
  expect(kube.openStreams).toBe(1);
});

it('lists all in one answer after a continue token expired', async () => {
  const { clock, kube, reflector } = run(
    [page([pod('a', '1')], '10', 'more'), expired, page([pod('a', '1'), pod('b', '2')], '20')],
    [],
  );
  await clock.advance(1000);
  expect(kube.lists.map((list) => list.limit)).toEqual([100, 100, 0]);
  expect(reflector.size).toBe(2);
});

it('survives a handler that throws, and moves on', async () => {
  const { clock, kube, hooks, reflector } = run(
    [page([], '10')],
    [[added(pod('a', '11')), added(pod('b', '12'))], [forever]],
  );
  hooks.onChange = () => {
    throw new TypeError('a bug in a handler');
  };
  await clock.advance(1000);
  expect(reflector.size).toBe(2);
  expect(kube.watches[1]?.resourceVersion).toBe('12');
});

it('keeps an object that does not parse out of the cache, says why, and takes it back once mended', async () => {
  let proceed = (): void => {};
  const pause = new Promise<void>((resolve) => {
    proceed = resolve;
  });
  const gone: WatchEvent = { type: 'DELETED', object: pod('bad', '20') };
  const { clock, reflector, changes } = run(
    [page([pod('bad', '3'), pod('a', '4')], '10')],
    [[pause, gone, forever]],
  );
  await clock.advance(0);
  expect(changes).toEqual(['-default/bad', 'default/a@4']);
  expect(reflector.get('default/bad')).toBeUndefined();
  expect(reflector.problem('default/bad')).toBe('metadata.name: bad');
  proceed();
  await clock.advance(0);
  expect(reflector.problem('default/bad')).toBeUndefined();
});

it('stops when told, leaving no stream and no timer', async () => {
  const { clock, kube, stop, finished, reflector } = run([page([], '10')], []);
  await clock.advance(1000);
  stop.abort(new Error('stop'));
  await finished;
  expect(reflector.state).toBe('stopped');
  expect(kube.openStreams).toBe(0);
  expect(clock.pending).toBe(0);
});

it('rejects synced when it is stopped before the first list came through', async () => {
  const { clock, stop, reflector } = run(Array(100).fill(unavailable), []);
  await clock.advance(5000);
  const reason = new Error('stop');
  stop.abort(reason);
  await expect(reflector.synced).rejects.toBe(reason);
});
