import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest';
import { kinds } from '../../core/api/kinds.ts';
import { systemClock } from '../../core/clock.ts';
import { createEventRecorder } from '../../runtime/events.ts';
import { type ConnectedKube, connectKube } from '../../runtime/kube.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { tryAcquire } from '../../runtime/lease-lock.ts';
import { silentLog } from '../../runtime/log.ts';
import { recordAt } from '../../runtime/raw-object.ts';
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
  opened = await openFaultyBed('runtime-writes');
  ({ bed, proxy, direct, kube } = opened);
});
afterAll(async () => opened.close());
beforeEach(() => {
  proxy.setRule(() => undefined);
  counter += 1;
  mark = `case-${counter}`;
});

const leaseKey = { kind: kinds.lease, namespace: 'default', name: 'any' };

it('finds out what became of a write whose answer was lost', async () => {
  const timing = {
    durationMilliseconds: 3_000,
    renewDeadlineMilliseconds: 2_000,
    renewEveryMilliseconds: 500,
    retryMilliseconds: 200,
  };
  const request = {
    namespace: 'default',
    name: `${mark}-lease`,
    timing,
    ownerReference: undefined,
  };
  const deps = { kube, clock: systemClock, random: Math.random, log: silentLog };
  const attempt = (): ReturnType<typeof tryAcquire> =>
    tryAcquire(deps, { ...request, holder: 'one', whenLapsed: 'lose' }, new Map(), never);
  proxy.setRule(({ method }) => (method === 'POST' ? 'lose-answer' : undefined));
  await expect(attempt()).rejects.toMatchObject({ kind: 'retry', reason: 'ConnectionFailed' });
  const won = await attempt();
  expect(won).toMatchObject({ held: true, lease: { fence: 1 } });
  if (won.held) await won.lease.release();
  // Each renewal would cost the API server more with a record of who set which field.
  const { metadata } = await kube.get({ ...leaseKey, name: request.name }, never);
  expect(metadata).not.toHaveProperty('managedFields');
});

it('gives up a request that gets no answer, and one that is no longer wanted', async () => {
  proxy.setRule(() => 'hang');
  const impatient = await connectKube({
    kubeconfigPath: proxy.kubeconfigPath,
    requestTimeoutMilliseconds: 300,
    userAgent: 'cryopod-test/0',
  });
  const timedOut = impatient.get(leaseKey, never);
  await expect(timedOut).rejects.toMatchObject({ kind: 'retry', reason: 'Timeout' });
  const reason = new Error('no longer wanted');
  const abort = new AbortController();
  const unwanted = kube.get(leaseKey, abort.signal);
  abort.abort(reason);
  await expect(unwanted).rejects.toBe(reason);
  impatient.close();
});

it('hands a lease over from a holder that is cut off, never to be held by both', async () => {
  const timing = {
    durationMilliseconds: 3_000,
    renewDeadlineMilliseconds: 2_000,
    renewEveryMilliseconds: 500,
    retryMilliseconds: 200,
  };
  const request = {
    namespace: 'default',
    name: `${mark}-lease`,
    timing,
    ownerReference: undefined,
  };
  const clock = systemClock;
  const common = { clock, random: Math.random, log: silentLog };
  const acquire = (
    through: ConnectedKube,
    holder: string,
    sightings: Parameters<typeof tryAcquire>[2],
  ) =>
    tryAcquire(
      { ...common, kube: through },
      { ...request, holder, whenLapsed: 'wait' },
      sightings,
      never,
    );
  const one = await acquire(kube, 'one', new Map());
  if (!one.held) throw new Error(one.message);
  const sightings = new Map();
  const second = () => acquire(direct, 'two', sightings);
  expect(await second()).toMatchObject({ held: false, heldBy: 'one' });
  proxy.setRule(() => 'drop');
  const cutOffAt = clock.monotonicMilliseconds();
  const two = await bed.waitFor(
    'the other takes over',
    async () => {
      const tried = await second();
      return tried.held ? tried.lease : undefined;
    },
    deadlineMilliseconds,
  );
  expect(one.lease.current()).toBe(false);
  expect(clock.monotonicMilliseconds() - cutOffAt).toBeGreaterThan(2_000);
  expect(two.fence).toBe(one.lease.fence + 1);
  proxy.setRule(() => undefined);
  await expect(one.lease.confirm(never)).rejects.toMatchObject({ kind: 'fenced' });
  await two.confirm(never);
  await two.release();
});

it('goes on with a lease that lapsed while the server was away, when nobody took it', async () => {
  const timing = {
    durationMilliseconds: 1_000,
    renewDeadlineMilliseconds: 700,
    renewEveryMilliseconds: 300,
    retryMilliseconds: 100,
  };
  const request = {
    namespace: 'default',
    name: `${mark}-lease`,
    timing,
    ownerReference: undefined,
  };
  const deps = { kube, clock: systemClock, random: Math.random, log: silentLog };
  const won = await tryAcquire(
    deps,
    { ...request, holder: 'one', whenLapsed: 'wait' },
    new Map(),
    never,
  );
  if (!won.held) throw new Error(won.message);
  await bed.kill('apiserver');
  const lapsed = async (): Promise<true | undefined> => (won.lease.current() ? undefined : true);
  await bed.waitFor('the lease lapses', lapsed, deadlineMilliseconds);
  await bed.start('apiserver');
  await won.lease.confirm(never);
  expect(won.lease.current()).toBe(true);
  expect(won.lease.lost.aborted).toBe(false);
  await won.lease.release();
});

it('records events of namespaced and cluster-scoped objects, equal ones as one with a count', async () => {
  const outcomes: string[] = [];
  const recorder = createEventRecorder({
    kube,
    clock: systemClock,
    log: silentLog,
    controller: 'cryopod-controller',
    instance: 'cryopod-controller-0',
    counted: (outcome) => void outcomes.push(outcome),
  });
  const event = {
    type: 'Warning',
    reason: 'StorageFull',
    action: 'Publish',
    note: 'no space',
  } as const;
  const common = { apiVersion: 'nvidia.com/v1alpha1', name: `${mark}-object`, uid: mark };
  const snapshot = { ...common, kind: 'PodSnapshot', namespace: 'default' };
  const content = { ...common, kind: 'PodSnapshotContent', namespace: '' };
  for (let count = 0; count < 2; count += 1) {
    recorder.record({ ...event, regarding: snapshot });
    recorder.record({ ...event, regarding: content });
  }
  await recorder.flush(never);
  expect(outcomes).toEqual(['written', 'written', 'counted', 'counted']);
  const stored = await bed.kubectl(['get', 'events.events.k8s.io', '-n', 'default', '-o', 'json']);
  const items: RawObject[] = JSON.parse(stored).items;
  const ours = items.filter((item) => recordAt(item, 'regarding').uid === mark);
  expect(ours.map((item) => recordAt(item, 'regarding').kind).sort()).toEqual([
    'PodSnapshot',
    'PodSnapshotContent',
  ]);
  for (const item of ours) expect(item.series).toMatchObject({ count: 2 });
});
