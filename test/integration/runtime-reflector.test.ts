import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { kinds } from '../../core/api/kinds.ts';
import { systemClock } from '../../core/clock.ts';
import type { ConnectedKube } from '../../runtime/kube.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { silentLog } from '../../runtime/log.ts';
import { identityOf, recordAt } from '../../runtime/raw-object.ts';
import { Reflector } from '../../runtime/reflector.ts';
import type { Bed } from '../bed/bed.ts';
import type { FaultProxy } from '../support/fault-proxy.ts';
import { type FaultyBed, openFaultyBed } from '../support/faulty-bed.ts';

const never = new AbortController().signal;
const deadlineMilliseconds = 60_000;
let opened: FaultyBed;
let bed: Bed;
let proxy: FaultProxy;
/** Straight to the server. */
let direct: ConnectedKube;
/** Through the proxy. */
let kube: ConnectedKube;
let counter = 0;
let mark: string;

beforeAll(async () => {
  opened = await openFaultyBed('runtime-reflector');
  ({ bed, proxy, direct, kube } = opened);
});
afterAll(async () => opened.close());
beforeEach(() => {
  proxy.setRule(() => undefined);
  counter += 1;
  mark = `case-${counter}`;
});

const key = (object: string) => ({
  kind: kinds.lease,
  namespace: 'default',
  name: `${mark}-${object}`,
});
const create = (object: string, holderIdentity = 'one'): Promise<RawObject> => {
  const metadata = { namespace: 'default', name: key(object).name, labels: { mark } };
  return direct.create(
    kinds.lease,
    { metadata, spec: { holderIdentity } },
    { dryRun: false },
    never,
  );
};
const change = (object: string, holderIdentity: string): Promise<RawObject> =>
  direct.patch(key(object), '', { type: 'merge', body: { spec: { holderIdentity } } }, never);

function reflect() {
  const restarts: string[] = [];
  const stop = new AbortController();
  const reflector = new Reflector({
    kube,
    clock: systemClock,
    random: Math.random,
    log: silentLog,
    observer: { listed: () => {}, restarted: (reason) => void restarts.push(reason) },
    selection: { kind: kinds.lease, namespace: 'default', labelSelector: `mark=${mark}` },
    parse: (raw) => ({ ok: true, value: raw }),
    onChange: () => {},
    indexes: {},
    silenceMilliseconds: 150_000,
  });
  const running = reflector.run(stop.signal);
  const holders = (): string =>
    reflector
      .list()
      .map(
        (raw) =>
          `${identityOf(raw).name.slice(mark.length + 1)}=${recordAt(raw, 'spec').holderIdentity}`,
      )
      .sort()
      .join(' ');
  const holdersBecome = (wanted: string): Promise<true> =>
    bed.waitFor(
      `the cache shows ${wanted}, not ${holders()}`,
      async () => (holders() === wanted ? true : undefined),
      deadlineMilliseconds,
    );
  const end = async (): Promise<void> => {
    stop.abort(new Error('the test is over'));
    await running;
  };
  return { reflector, restarts, holdersBecome, end };
}

it('has the right cache again after the API server was killed and started', async () => {
  await create('a');
  await create('b');
  const { reflector, restarts, holdersBecome, end } = reflect();
  await reflector.synced;
  await bed.kill('apiserver');
  await bed.waitFor('the loss is noticed', async () => restarts[0], deadlineMilliseconds);
  await bed.start('apiserver');
  await change('a', 'two');
  await direct.delete(key('b'), {}, never);
  await create('c');
  await holdersBecome('a=two c=one');
  expect(restarts).toContain('ConnectionFailed');
  await end();
});

it('lists again when the server no longer knows the version it watched from', async () => {
  await create('a');
  const { reflector, restarts, holdersBecome, end } = reflect();
  await reflector.synced;
  await bed.waitFor(
    'the stream',
    async () => (reflector.state === 'streaming' ? true : undefined),
    5_000,
  );
  proxy.setRule(({ query }) => (query.get('watch') === 'true' ? 'hang' : undefined));
  proxy.cut();
  await create('b');
  await change('a', 'two');
  // A new server remembers no history: the version of before is too old for it.
  await bed.kill('apiserver');
  await bed.start('apiserver');
  await create('c');
  proxy.setRule(() => undefined);
  await holdersBecome('a=two b=one c=one');
  expect(restarts).toContain('Expired');
  await change('a', 'three');
  await holdersBecome('a=three b=one c=one');
  await end();
});

it('honours Retry-After of 429 and gets through 500', async () => {
  await create('a');
  const lists: number[] = [];
  proxy.setRule(({ query, path }) => {
    if (!path.endsWith('/leases') || query.get('watch') === 'true') return undefined;
    lists.push(systemClock.monotonicMilliseconds());
    if (lists.length === 1) return { code: 429, retryAfterSeconds: 2 };
    return lists.length === 2 ? { code: 500 } : undefined;
  });
  const { restarts, holdersBecome, end } = reflect();
  await holdersBecome('a=one');
  expect(restarts).toEqual(['Http429', 'Http500']);
  expect((lists[1] ?? 0) - (lists[0] ?? 0)).toBeGreaterThanOrEqual(2000);
  await end();
});

it('goes on with the stream where it broke', async () => {
  const { reflector, holdersBecome, restarts, end } = reflect();
  await reflector.synced;
  for (const holder of ['one', 'two', 'three']) {
    await (holder === 'one' ? create('a') : change('a', holder));
    await holdersBecome(`a=${holder}`);
    proxy.cut();
  }
  await create('b');
  await holdersBecome('a=three b=one');
  expect(restarts.filter((reason) => reason !== 'Closed')).not.toHaveLength(0);
  await end();
});
