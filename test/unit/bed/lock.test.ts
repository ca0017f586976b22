import { access, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { withLock } from '../../bed/lock.ts';
import { identify } from '../../bed/process.ts';

let folder = '';
const silent = (): void => undefined;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'cryopod-lock-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

test('work under one lock never overlaps, and the lock is gone afterwards', async () => {
  const path = join(folder, 'lock');
  let inside = 0;
  let most = 0;
  const work = async (): Promise<void> => {
    inside += 1;
    most = Math.max(most, inside);
    await access(folder);
    inside -= 1;
  };
  await Promise.all([1, 2, 3].map(() => withLock(path, 10_000, silent, work)));
  expect(most).toBe(1);
  await expect(access(path)).rejects.toThrow();
});

test('the lock of a program that is gone is taken over', async () => {
  const path = join(folder, 'lock');
  const { pid, startTicks } = identify(process.pid);
  await writeFile(path, JSON.stringify({ pid, startTicks: `${startTicks}0` }));
  await expect(withLock(path, 10_000, silent, async () => 'done')).resolves.toBe('done');
});

test('the lock of a running program is waited for until the deadline, with a word', async () => {
  const path = join(folder, 'lock');
  await writeFile(path, JSON.stringify(identify(process.pid)));
  const lines: string[] = [];
  const log = (line: string): void => {
    lines.push(line);
  };
  await expect(withLock(path, 120, log, async () => 'done')).rejects.toThrow('in vain');
  expect(lines).toHaveLength(1);
  expect(lines[0]).toContain(String(process.pid));
});

test('work that fails gives the lock back', async () => {
  const path = join(folder, 'lock');
  const failing = withLock(path, 1_000, silent, async () => {
    throw new Error('broken');
  });
  await expect(failing).rejects.toThrow('broken');
  await expect(access(path)).rejects.toThrow();
});
