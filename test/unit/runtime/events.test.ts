import { beforeEach, expect, it } from 'vitest';
import { kinds } from '../../../core/api/kinds.ts';
import { Failure } from '../../../core/failure.ts';
import {
  createEventRecorder,
  type EventRecord,
  type EventRecorder,
} from '../../../runtime/events.ts';
import { silentLog } from '../../../runtime/log.ts';
import { recordAt } from '../../../runtime/raw-object.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryKube } from '../../support/memory-kube.ts';

let clock: FakeClock;
let kube: MemoryKube;
let recorder: EventRecorder;
let outcomes: string[];

beforeEach(() => {
  clock = new FakeClock();
  kube = new MemoryKube(clock);
  outcomes = [];
  recorder = createEventRecorder({
    kube,
    clock,
    log: silentLog,
    controller: 'cryopod-controller',
    instance: 'cryopod-controller-0',
    counted: (outcome) => void outcomes.push(outcome),
  });
});

const event = (fields: Partial<EventRecord> = {}, uid = 'u1'): EventRecord => ({
  regarding: {
    kind: 'PodSnapshot',
    apiVersion: 'nvidia.com/v1alpha1',
    namespace: 'team',
    name: 'web',
    uid,
  },
  type: 'Normal',
  reason: 'Captured',
  action: 'Capture',
  note: 'captured 512 MiB',
  ...fields,
});
const stored = () => kube.all(kinds.event);

it('writes an event beside the object it is about, with times of six digits', async () => {
  recorder.record(event());
  await clock.advance(0);
  expect(stored()).toMatchObject([
    {
      metadata: { namespace: 'team', name: expect.stringMatching(/^web\./) },
      eventTime: '2026-01-01T00:00:00.000000Z',
      reportingController: 'cryopod-controller',
      regarding: { name: 'web', uid: 'u1' },
      reason: 'Captured',
    },
  ]);
});

it('puts events about cluster-scoped objects into the namespace default', async () => {
  recorder.record(event({ regarding: { ...event().regarding, namespace: '' } }));
  await clock.advance(0);
  expect(stored()).toMatchObject([{ metadata: { namespace: 'default' } }]);
  expect(recordAt(stored()[0] ?? {}, 'regarding')).not.toHaveProperty('namespace');
});

it('counts equal events in one object, with few writes', async () => {
  for (let count = 0; count < 20; count += 1) {
    recorder.record(event());
    await clock.advance(5_000);
  }
  expect(stored()).toHaveLength(1);
  expect(stored()).toMatchObject([{ series: { count: expect.any(Number) } }]);
  expect(kube.writes.length).toBeLessThanOrEqual(5);
  expect(outcomes.filter((outcome) => outcome === 'counted')).toHaveLength(19);
});

it('begins a new event after a long silence, and when the server forgot the old one', async () => {
  recorder.record(event());
  await clock.advance(7 * 60_000);
  recorder.record(event());
  await clock.advance(0);
  expect(stored()).toHaveLength(2);
  for (const old of stored()) {
    const { name, namespace } = recordAt(old, 'metadata');
    const key = { kind: kinds.event, namespace: String(namespace), name: String(name) };
    await kube.delete(key, {}, new AbortController().signal);
  }
  recorder.record(event());
  await clock.advance(0);
  expect(stored()).toHaveLength(1);
});

it('caps the events of one object and leaves others alone', async () => {
  for (let count = 0; count < 100; count += 1) recorder.record(event({ note: `try ${count}` }));
  recorder.record(event({}, 'u2'));
  await clock.advance(0);
  expect(stored()).toHaveLength(25 + 1);
  expect(outcomes.filter((outcome) => outcome === 'dropped')).toHaveLength(75);
  await clock.advance(12_000);
  recorder.record(event({ note: 'later' }));
  await clock.advance(0);
  expect(stored()).toHaveLength(27);
});

it('never throws, tries a few times, and then lets an event go', async () => {
  kube.before = () => {
    throw new Failure('retry', 'ServiceUnavailable', 'away');
  };
  recorder.record(event());
  await clock.advance(60_000);
  expect(outcomes).toEqual(['dropped']);
  kube.before = () => {
    throw new Failure('terminal', 'Forbidden', 'no');
  };
  recorder.record(event());
  await clock.advance(0);
  expect(outcomes).toEqual(['dropped', 'dropped']);
});

it('holds a bounded number while the server is slow', async () => {
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  kube.before = () => gate;
  for (let count = 0; count < 1500; count += 1) recorder.record(event({}, `u${count}`));
  await clock.advance(0);
  expect(outcomes.filter((outcome) => outcome === 'dropped').length).toBeGreaterThan(400);
  open();
  await recorder.flush(new AbortController().signal);
  expect(stored().length).toBeGreaterThanOrEqual(1000);
});

it('gives up flushing when its signal aborts', async () => {
  kube.before = () => {
    throw new Failure('retry', 'ServiceUnavailable', 'away');
  };
  recorder.record(event());
  await recorder.flush(AbortSignal.abort(new Error('stop')));
  expect(outcomes).toEqual(['dropped']);
});

it('cuts a long note at a character', async () => {
  recorder.record(event({ note: 'ü'.repeat(2000) }));
  await clock.advance(0);
  const note = String(stored()[0]?.note);
  expect(Buffer.byteLength(note)).toBeLessThanOrEqual(1024);
  expect(note).toMatch(/^ü+…$/);
});
