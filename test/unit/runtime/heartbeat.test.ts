import { beforeEach, expect, it } from 'vitest';
import { kinds } from '../../../core/api/kinds.ts';
import { Failure } from '../../../core/failure.ts';
import { keepHeartbeat } from '../../../runtime/heartbeat.ts';
import { captureLeaseTiming, type LeaseRequest } from '../../../runtime/lease-attempt.ts';
import { leaseRecord } from '../../../runtime/lease-record.ts';
import { silentLog } from '../../../runtime/log.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { MemoryKube } from '../../support/memory-kube.ts';

let clock: FakeClock;
let kube: MemoryKube;
const never = new AbortController().signal;
const key = { kind: kinds.lease, namespace: 'cryopod-system', name: 'cryopod-agent-node-a' };
const deps = () => ({ kube, clock, random: () => 0, log: silentLog });
const request = (holder: string): LeaseRequest => ({
  ...{ namespace: key.namespace, name: key.name, holder },
  timing: captureLeaseTiming,
  ownerReference: undefined,
});
const stored = () => leaseRecord(kube.peek(key) ?? {});
const unreachable = (): void => {
  kube.before = () => {
    throw new Failure('retry', 'ServiceUnavailable', 'the server is away');
  };
};
const reachable = (): void => {
  kube.before = () => {};
};

beforeEach(() => {
  clock = new FakeClock();
  kube = new MemoryKube(clock);
});

it('keeps a heartbeat fresh and replaces the predecessor at once', async () => {
  const stop = new AbortController();
  const beating = keepHeartbeat(deps(), request('one'), stop.signal);
  await clock.advance(25_000);
  const first = stored();
  expect(first).toMatchObject({ holder: 'one', transitions: 1 });
  stop.abort();
  await beating;
  const again = new AbortController();
  const successor = keepHeartbeat(deps(), request('two'), again.signal);
  await settle();
  expect(stored()).toMatchObject({ holder: 'two', transitions: 2 });
  unreachable();
  await clock.advance(30_000);
  reachable();
  await clock.advance(2_500);
  expect(stored().resourceVersion).not.toBe(first.resourceVersion);
  again.abort();
  await successor;
  expect(clock.pending).toBe(0);
});

it('a heartbeat is one request, and one that was deleted is made again', async () => {
  const stop = new AbortController();
  const beating = keepHeartbeat(deps(), request('one'), stop.signal);
  await settle();
  const before = kube.calls.length;
  await clock.advance(30_000);
  expect(kube.calls.slice(before).map(({ verb }) => verb)).toEqual(['patch', 'patch', 'patch']);
  await kube.delete(key, {}, never);
  await clock.advance(15_000);
  expect(stored()).toMatchObject({ holder: 'one', transitions: 1 });
  stop.abort();
  await beating;
});

it('a heartbeat wears its marks from the first write on, and gives them to a Lease of an older agent', async () => {
  const stop = new AbortController();
  const old = keepHeartbeat(deps(), request('old'), stop.signal);
  await settle();
  stop.abort();
  await old;
  const marks = { labels: { heartbeat: 'true' }, annotations: { store: 'dir', shared: '' } };
  const again = new AbortController();
  const beating = keepHeartbeat(deps(), { ...request('new'), marks }, again.signal);
  await settle();
  expect(kube.peek(key)).toMatchObject({ metadata: marks });
  again.abort();
  await beating;
  await kube.delete(key, {}, never);
  const fresh = new AbortController();
  const first = keepHeartbeat(deps(), { ...request('new'), marks }, fresh.signal);
  await settle();
  expect(kube.peek(key)).toMatchObject({ metadata: marks });
  fresh.abort();
  await first;
});
