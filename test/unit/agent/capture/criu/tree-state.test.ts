import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { ensureRunning, readMembers } from '../../../../../agent/capture/criu/tree-state.ts';
import { FakeClock } from '../../../../support/fake-clock.ts';

let procRoot: string;
beforeEach(() => {
  procRoot = mkdtempSync(join(tmpdir(), 'proc-'));
});
afterEach(() => rmSync(procRoot, { recursive: true }));

/** Writes or rewrites a process; `threads` are the states of its threads. */
function put(pid: number, parent: number, threads: readonly string[], tracerPid = 0): void {
  const stat = (id: number, state: string) =>
    `${id} (sh) ${state} ${parent} 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 ${threads.length} 0 ${pid * 10} 0 0\n`;
  const directory = join(procRoot, String(pid));
  mkdirSync(directory, { recursive: true });
  writeFileSync(join(directory, 'stat'), stat(pid, threads[0] ?? 'S'));
  writeFileSync(join(directory, 'status'), `Name:\tsh\nTracerPid:\t${tracerPid}\n`);
  threads.forEach((state, index) => {
    mkdirSync(join(directory, 'task', String(pid + index)), { recursive: true });
    writeFileSync(join(directory, 'task', String(pid + index), 'stat'), stat(pid + index, state));
  });
}

const root = { pid: 10, startTicks: 100 };
const never = new AbortController().signal;

/** Signals wake the process, as SIGCONT does. */
function ensure(clock: FakeClock, stoppedBefore: readonly { pid: number; startTicks: number }[]) {
  const sent: number[] = [];
  const sendSignal = (pid: number) => {
    sent.push(pid);
    put(pid, 10, ['S']);
  };
  return { sent, done: ensureRunning({ procRoot, clock, sendSignal }, root, stoppedBefore, never) };
}

test('the tree is the root and its descendants, a stop of any thread counts, zombies do not', async () => {
  put(10, 1, ['S']);
  put(11, 10, ['S', 't']);
  put(12, 11, ['Z']);
  put(13, 1, ['T']);
  expect(await readMembers(procRoot, root)).toEqual([
    { pid: 10, startTicks: 100, state: 'running' },
    { pid: 11, startTicks: 110, state: 'traced' },
  ]);
});

test('a process whose first thread has ended lives on in the others', async () => {
  put(10, 1, ['S']);
  put(14, 10, ['Z', 't']);
  expect(await readMembers(procRoot, root)).toEqual([
    { pid: 10, startTicks: 100, state: 'running' },
    { pid: 14, startTicks: 140, state: 'traced' },
  ]);
});

test('a root whose pid was taken by another process has no tree', async () => {
  put(10, 1, ['S']);
  expect(await readMembers(procRoot, { pid: 10, startTicks: 99 })).toEqual([]);
});

test('a process left stopped is set running', async () => {
  put(10, 1, ['S']);
  put(20, 10, ['T']);
  const clock = new FakeClock();
  const { sent, done } = ensure(clock, []);
  await waitAndAdvance(clock, done);
  expect(await done).toEqual({ sourceRuns: true, stopped: [] });
  expect(sent).toEqual([20]);
});

test('a process that was stopped before stays stopped', async () => {
  put(10, 1, ['S']);
  put(20, 10, ['T']);
  const { sent, done } = ensure(new FakeClock(), [{ pid: 20, startTicks: 200 }]);
  expect(await done).toEqual({ sourceRuns: true, stopped: [] });
  expect(sent).toEqual([]);
});

test('a process in the hands of a tracer is not signalled, and reported in the end', async () => {
  put(10, 1, ['t'], 77);
  const clock = new FakeClock();
  const { sent, done } = ensure(clock, []);
  await waitAndAdvance(clock, done);
  expect(await done).toEqual({ sourceRuns: false, stopped: [10] });
  expect(sent).toEqual([]);
});

test('a source that has ended does not run', async () => {
  expect(await ensure(new FakeClock(), []).done).toEqual({ sourceRuns: false, stopped: [] });
});

/** Moves the clock on whenever somebody waits for it, until the promise settles. */
async function waitAndAdvance(clock: FakeClock, done: Promise<unknown>): Promise<void> {
  let settled = false;
  void done.finally(() => {
    settled = true;
  });
  while (!settled) {
    await new Promise((resolve) => setImmediate(resolve));
    if (clock.pending > 0) await clock.advance(1000);
  }
}
