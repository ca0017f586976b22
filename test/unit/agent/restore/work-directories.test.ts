import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { workDirectories } from '../../../../agent/restore/work-directories.ts';

let base: string;
const open = () => workDirectories(join(base, 'work'), join(base, 'pods'));
const left = (): readonly string[] => readdirSync(join(base, 'work'));
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'work-'));
  for (const attempt of ['pod/1', 'pod/2', 'other/1']) {
    mkdirSync(join(base, 'work', attempt), { recursive: true });
  }
  mkdirSync(join(base, 'pods/other'), { recursive: true });
});
afterEach(() => rmSync(base, { recursive: true }));

test('an attempt that went well leaves nothing, and what failed before it stays', async () => {
  await open().discardAttempt('pod', '2');
  expect(readdirSync(join(base, 'work/pod'))).toEqual(['1']);
  await open().discardAttempt('other', '1');
  expect(left()).toEqual(['pod']);
});

test('all of a pod goes with the pod', async () => {
  await open().discard('pod');
  expect(left()).toEqual(['other']);
});

test('what an earlier agent left of pods that are gone is removed, the rest is kept', async () => {
  await open().sweep();
  expect(left()).toEqual(['other']);
});

test('without any directory there is nothing to do', async () => {
  rmSync(join(base, 'work'), { recursive: true });
  await open().sweep();
  await open().discardAttempt('pod', '1');
});
