import { beforeEach, expect, it } from 'vitest';
import { kinds } from '../../../core/api/kinds.ts';
import { Failure, isFailure } from '../../../core/failure.ts';
import type { HeldLease, LapsePolicy } from '../../../runtime/held-lease.ts';
import { captureLeaseTiming, type LeaseRequest } from '../../../runtime/lease-attempt.ts';
import { acquireLease, runLeaderElected, tryAcquire } from '../../../runtime/lease-lock.ts';
import { leaseRecord } from '../../../runtime/lease-record.ts';
import { silentLog } from '../../../runtime/log.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { MemoryKube } from '../../support/memory-kube.ts';

let clock: FakeClock;
let kube: MemoryKube;
const never = new AbortController().signal;
const key = { kind: kinds.lease, namespace: 'cryopod-system', name: 'capture' };
const deps = () => ({ kube, clock, random: () => 0, log: silentLog });
const request = (holder: string): LeaseRequest => ({
  namespace: key.namespace,
  name: key.name,
  holder,
  timing: captureLeaseTiming,
  ownerReference: {
    apiVersion: 'nvidia.com/v1alpha1',
    kind: 'PodSnapshotContent',
    name: 'c',
    uid: 'c1',
  },
});
const acquire = (holder: string, whenLapsed: LapsePolicy = 'lose'): Promise<HeldLease> =>
  acquireLease(deps(), { ...request(holder), whenLapsed }, never);
const stored = () => leaseRecord(kube.peek(key) ?? {});
const unreachable = (): void => {
  kube.before = () => {
    throw new Failure('retry', 'ServiceUnavailable', 'the server is away');
  };
};
const reachable = (): void => {
  kube.before = () => {};
};
const failureOf = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => 'no failure',
    (error: unknown) => (error instanceof Failure ? `${error.kind}/${error.reason}` : error),
  );

beforeEach(() => {
  clock = new FakeClock();
  kube = new MemoryKube(clock);
});

it('creates the lease with its owner, and holds it at fence 1', async () => {
  const lease = await acquire('one');
  expect(lease.fence).toBe(1);
  expect(lease.current()).toBe(true);
  expect(stored()).toMatchObject({ holder: 'one', transitions: 1, durationMilliseconds: 30_000 });
  expect(kube.peek(key)).toMatchObject({ metadata: { ownerReferences: [{ uid: 'c1' }] } });
});

const likelyNew = (holder: string) =>
  tryAcquire(deps(), { ...request(holder), likelyNew: true, whenLapsed: 'wait' }, new Map(), never);

it('is created unread where it is most likely new', async () => {
  expect(await likelyNew('one')).toMatchObject({ held: true, lease: { fence: 1 } });
  expect(kube.calls.map(({ verb }) => verb)).toEqual(['create']);
});

it('that was thought new and is not is read, and stays with its holder', async () => {
  await acquire('one');
  expect(await likelyNew('two')).toMatchObject({ held: false, heldBy: 'one' });
});

it('whose create was answered by a broken connection is ours all the same', async () => {
  kube.after = () => {
    kube.after = () => {};
    throw new Failure('retry', 'ConnectionFailed', 'cut');
  };
  await expect(likelyNew('one')).rejects.toThrow('cut');
  expect(await likelyNew('one')).toMatchObject({ held: true, lease: { fence: 1 } });
});

it('is given back without a read, and with one where a renewal moved it unseen', async () => {
  const lease = await acquire('one');
  const before = kube.calls.length;
  await lease.release();
  expect(kube.calls.slice(before).map(({ verb }) => verb)).toEqual(['patch']);
  const again = await acquire('two');
  const renewed = { metadata: {}, spec: { renewTime: '2026-01-01T00:00:00.000000Z' } };
  await kube.patch(key, '', { type: 'merge', body: renewed }, never);
  await again.release();
  expect(stored().holder).toBe('');
});

it('renews every ten seconds', async () => {
  const lease = await acquire('one');
  await clock.advance(95_000);
  expect(kube.writes).toHaveLength(1 + 9);
  expect(lease.current()).toBe(true);
});

it('hands over at once on release, with the fence one higher and the object kept', async () => {
  const one = await acquire('one');
  const { uid } = stored();
  await one.release();
  expect(stored()).toMatchObject({ holder: '', transitions: 1, uid });
  expect(one.current()).toBe(false);
  expect((await acquire('two')).fence).toBe(2);
  expect(stored().uid).toBe(uid);
});

it('says who holds it when one attempt fails', async () => {
  await acquire('one');
  const tried = await tryAcquire(
    deps(),
    { ...request('two'), whenLapsed: 'lose' },
    new Map(),
    never,
  );
  expect(tried).toMatchObject({ held: false, heldBy: 'one', againInMilliseconds: 30_000 });
});

it('takes over a dead holder after the duration it promised, whatever the wall clock says', async () => {
  const one = await acquire('one');
  unreachable();
  await clock.advance(25_000);
  expect(one.current()).toBe(false);
  reachable();
  clock.jumpWall(3_600_000);
  const sightings = new Map();
  const attempt = () =>
    tryAcquire(deps(), { ...request('two'), whenLapsed: 'lose' }, sightings, never);
  expect((await attempt()).held).toBe(false);
  await clock.advance(29_999);
  expect((await attempt()).held).toBe(false);
  await clock.advance(1);
  expect(await attempt()).toMatchObject({ held: true, lease: { fence: 2 } });
});

it('is lost at the renew deadline when the server is away, before anybody else may take it', async () => {
  const lease = await acquire('one');
  await clock.advance(10_000);
  unreachable();
  await clock.advance(19_999);
  expect(lease.lost.aborted).toBe(false);
  await clock.advance(1);
  expect(isFailure(lease.lost.reason, 'fenced')).toBe(true);
  expect(await failureOf(lease.confirm(never))).toBe('fenced/LeaseLapsed');
});

it('waits out an outage under the other policy, and goes on when nobody took it', async () => {
  const lease = await acquire('one', 'wait');
  unreachable();
  await clock.advance(120_000);
  expect(lease.current()).toBe(false);
  expect(lease.lost.aborted).toBe(false);
  expect(await failureOf(lease.confirm(never))).toBe('retry/ServiceUnavailable');
  reachable();
  await lease.confirm(never);
  expect(lease.current()).toBe(true);
  expect(stored()).toMatchObject({ holder: 'one', transitions: 1 });
});

it('is fenced after an outage in which somebody took over', async () => {
  const lease = await acquire('one', 'wait');
  const steal = { spec: { holderIdentity: 'two', leaseTransitions: 2 } };
  await kube.patch(key, '', { type: 'merge', body: steal }, never);
  expect(await failureOf(lease.confirm(never))).toBe('fenced/LeaseLost');
  expect(lease.lost.aborted).toBe(true);
  await clock.advance(60_000);
  await lease.release();
  expect(stored()).toMatchObject({ holder: 'two', transitions: 2 });
});

it('is fenced even if the thief gave it back to the same name', async () => {
  const lease = await acquire('one', 'wait');
  await kube.patch(key, '', { type: 'merge', body: { spec: { leaseTransitions: 3 } } }, never);
  expect(await failureOf(lease.confirm(never))).toBe('fenced/LeaseLost');
});

it('is lost when the object is deleted, because its transitions would start again', async () => {
  const lease = await acquire('one');
  await kube.delete(key, {}, never);
  await clock.advance(10_000);
  expect(lease.lost.aborted).toBe(true);
});

it('finds out by a read what became of a write whose answer was lost', async () => {
  let answersLost = 2;
  kube.after = (call) => {
    if (call.verb !== 'get' && answersLost > 0) {
      answersLost -= 1;
      throw new Failure('retry', 'Timeout', 'no answer');
    }
  };
  const acquired = acquire('one');
  await clock.advance(2_000);
  await clock.advance(2_000);
  const lease = await acquired;
  expect(lease.fence).toBe(1);
  answersLost = 1;
  await clock.advance(30_000);
  expect(lease.current()).toBe(true);
  expect(lease.lost.aborted).toBe(false);
});

it('does not let one silent request eat the deadline', async () => {
  const lease = await acquire('one');
  let hung = 0;
  kube.before = () => {
    hung += 1;
    return hung === 1 ? new Promise(() => {}) : undefined;
  };
  await clock.advance(60_000);
  expect(hung).toBeGreaterThan(1);
  expect(lease.lost.aborted).toBe(false);
  expect(lease.current()).toBe(true);
});

it('leads while it holds the lease, and releases it at the end', async () => {
  const stop = new AbortController();
  const fences: number[] = [];
  const leading = runLeaderElected(
    deps(),
    request('one'),
    (lease, signal) => {
      fences.push(lease.fence);
      return new Promise((resolve) => signal.addEventListener('abort', () => resolve()));
    },
    stop.signal,
  );
  await clock.advance(30_000);
  stop.abort(new Error('stop'));
  await leading;
  expect(fences).toEqual([1]);
  expect(stored().holder).toBe('');
});

it('rejects as fenced when leadership was lost', async () => {
  const leading = runLeaderElected(
    deps(),
    request('one'),
    (_lease, signal) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
    never,
  );
  const outcome = failureOf(leading);
  await settle();
  unreachable();
  await clock.advance(40_000);
  expect(await outcome).toBe('fenced/LeaseLapsed');
});
