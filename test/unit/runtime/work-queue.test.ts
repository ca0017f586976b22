import { expect, it } from 'vitest';
import { queueBackOff } from '../../../runtime/back-off.ts';
import { silentQueueObserver, WorkQueue } from '../../../runtime/work-queue.ts';
import { FakeClock, settle } from '../../support/fake-clock.ts';

type Run = { readonly key: string; readonly signal: AbortSignal; readonly end: () => void };

function setUp(slots: number) {
  const clock = new FakeClock();
  const runs: Run[] = [];
  const waits: number[] = [];
  const queue = new WorkQueue({
    slots,
    backOff: queueBackOff,
    clock,
    random: () => 0.5,
    observer: { ...silentQueueObserver, started: (waited) => void waits.push(waited) },
    work: (key, signal) => new Promise((end) => void runs.push({ key, signal, end })),
  });
  const keys = (): string => runs.map((run) => run.key).join('');
  const endAll = async (): Promise<void> => {
    for (const run of runs) run.end();
    await settle();
  };
  return { clock, queue, runs, waits, keys, endAll };
}

it('runs a key once however often it was added before it started', async () => {
  const { queue, keys, endAll } = setUp(1);
  for (const key of ['a', 'b', 'b', 'b']) queue.add(key);
  await endAll();
  await endAll();
  expect(keys()).toBe('ab');
});

it('never runs a key twice at the same time, and once more when it was added meanwhile', async () => {
  const { queue, keys, endAll } = setUp(4);
  for (const key of ['a', 'a', 'a']) queue.add(key);
  expect(keys()).toBe('a');
  await endAll();
  expect(keys()).toBe('aa');
  await endAll();
  expect(keys()).toBe('aa');
});

it('keeps to its slots and serves first come first, so that a busy key starves no other', async () => {
  const { queue, keys, endAll } = setUp(2);
  for (const key of ['a', 'b', 'c', 'd', 'a']) queue.add(key);
  expect(keys()).toBe('ab');
  await endAll();
  expect(keys()).toBe('abcd');
  await endAll();
  expect(keys()).toBe('abcda');
});

it('lets the earlier of two delays win', async () => {
  const { clock, queue, keys } = setUp(1);
  queue.addAfter('a', 1000);
  queue.addAfter('a', 100);
  queue.addAfter('a', 5000);
  await clock.advance(99);
  expect(keys()).toBe('');
  await clock.advance(1);
  expect(keys()).toBe('a');
  expect(clock.pending).toBe(0);
});

it('keeps a delay although the key was added in between', async () => {
  const { clock, queue, keys, endAll } = setUp(1);
  queue.addAfter('a', 100);
  queue.add('a');
  await endAll();
  await clock.advance(100);
  expect(keys()).toBe('aa');
});

it('doubles the pause of a key that fails until it does well', () => {
  const { queue } = setUp(1);
  expect([1, 2, 3].map(() => queue.retry('a', 0))).toEqual([5, 10, 20]);
  expect(queue.retry('b', 0)).toBe(5);
  queue.forget('a');
  expect(queue.retry('a', 0)).toBe(5);
  expect(queue.retry('c', 7000)).toBe(7000);
});

it('tells how many wait, and how long the oldest has', async () => {
  const { clock, queue, waits, endAll } = setUp(1);
  for (const key of ['a', 'b', 'c']) queue.add(key);
  await clock.advance(40);
  expect(queue.depth).toBe(2);
  expect(queue.active).toBe(1);
  expect(queue.oldestWaitMilliseconds()).toBe(40);
  await endAll();
  expect(waits).toEqual([0, 40]);
});

it('waits for what runs when it stops, takes up nothing more, and aborts it after the grace', async () => {
  const { clock, queue, runs, keys, endAll } = setUp(1);
  queue.add('a');
  queue.add('b');
  queue.addAfter('c', 10);
  let stopped = 0;
  for (const _twice of [1, 2]) void queue.stop(500).then(() => (stopped += 1));
  await clock.advance(499);
  expect(runs[0]?.signal.aborted).toBe(false);
  await clock.advance(1);
  expect(runs[0]?.signal.aborted).toBe(true);
  expect(stopped).toBe(0);
  await endAll();
  expect(stopped).toBe(2);
  queue.add('d');
  expect(keys()).toBe('a');
  expect(clock.pending).toBe(0);
});
