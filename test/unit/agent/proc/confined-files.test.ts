import { execFileSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  claimSentinel,
  withConfined,
  writeSentinel,
} from '../../../../agent/proc/confined-files.ts';

let base: string;
beforeEach(() => {
  base = mkdtempSync(join(tmpdir(), 'confined-'));
});
afterEach(() => rmSync(base, { recursive: true }));

test('a sentinel is written whole, readable by all, with nothing left beside it', async () => {
  mkdirSync(join(base, 'a/b'), { recursive: true });
  await writeSentinel({ base, below: ['a', 'b'] }, 'done', 'text');
  expect(readFileSync(join(base, 'a/b/done'), 'utf8')).toBe('text');
  expect(statSync(join(base, 'a/b/done')).mode & 0o777).toBe(0o644);
  expect(readdirSync(join(base, 'a/b'))).toEqual(['done']);
});

test('a link in place of the sentinel is replaced, not followed', async () => {
  writeFileSync(join(base, 'victim'), 'untouched');
  mkdirSync(join(base, 'a'));
  symlinkSync(join(base, 'victim'), join(base, 'a/done'));
  await writeSentinel({ base, below: ['a'] }, 'done', 'text');
  expect(readFileSync(join(base, 'victim'), 'utf8')).toBe('untouched');
  expect(readFileSync(join(base, 'a/done'), 'utf8')).toBe('text');
});

test('a hard link to another file in place of the sentinel is replaced, and the file stays', async () => {
  writeFileSync(join(base, 'victim'), 'untouched');
  mkdirSync(join(base, 'a'));
  linkSync(join(base, 'victim'), join(base, 'a/done'));
  await writeSentinel({ base, below: ['a'] }, 'done', 'text');
  expect(readFileSync(join(base, 'victim'), 'utf8')).toBe('untouched');
  expect(statSync(join(base, 'victim')).mode & 0o777).not.toBe(0);
  expect(readFileSync(join(base, 'a/done'), 'utf8')).toBe('text');
});

test('a FIFO in place of the sentinel is replaced, and nobody waits for its reader', async () => {
  mkdirSync(join(base, 'a'));
  execFileSync('mkfifo', [join(base, 'a/done')]);
  await writeSentinel({ base, below: ['a'] }, 'done', 'text');
  expect(statSync(join(base, 'a/done')).isFile()).toBe(true);
});

test('a FIFO in place of a directory is refused, and nobody waits for its writer', async () => {
  execFileSync('mkfifo', [join(base, 'a')]);
  await expect(writeSentinel({ base, below: ['a'] }, 'done', '')).rejects.toMatchObject({
    kind: 'terminal',
    reason: 'UnsafePath',
  });
});

test('a link to the root, and one to itself, are refused', async () => {
  symlinkSync('/', join(base, 'root'));
  symlinkSync('loop', join(base, 'loop'));
  for (const below of [['root', 'etc'], ['loop']]) {
    await expect(writeSentinel({ base, below }, 'done', '')).rejects.toMatchObject({
      kind: 'terminal',
      reason: 'UnsafePath',
    });
  }
});

test('a directory that is moved away while it is written to takes the file along', async () => {
  mkdirSync(join(base, 'a'));
  symlinkSync(base, join(base, 'trap'));
  await withConfined({ base, below: ['a'] }, async (handle) => {
    renameSync(join(base, 'a'), join(base, 'moved'));
    renameSync(join(base, 'trap'), join(base, 'a'));
    writeFileSync(`/proc/self/fd/${handle.fd}/done`, 'text');
  });
  expect(readdirSync(join(base, 'moved'))).toEqual(['done']);
});

test('a link in place of a directory is refused', async () => {
  mkdirSync(join(base, 'elsewhere'));
  symlinkSync(join(base, 'elsewhere'), join(base, 'a'));
  await expect(writeSentinel({ base, below: ['a'] }, 'done', '')).rejects.toMatchObject({
    kind: 'terminal',
    reason: 'UnsafePath',
  });
  expect(readdirSync(join(base, 'elsewhere'))).toEqual([]);
});

test("a link above the workload, in the base, is the node's own and is followed", async () => {
  mkdirSync(join(base, 'real/a'), { recursive: true });
  symlinkSync(join(base, 'real'), join(base, 'link'));
  await writeSentinel({ base: join(base, 'link'), below: ['a'] }, 'done', 'text');
  expect(readFileSync(join(base, 'real/a/done'), 'utf8')).toBe('text');
});

test.each(['..', '.', '', 'a/b', 'a\0b'])('the name %j is refused', async (name) => {
  mkdirSync(join(base, 'a'));
  const at = { base, below: ['a'] };
  await expect(writeSentinel(at, name, '')).rejects.toMatchObject({ reason: 'UnsafePath' });
  await expect(writeSentinel({ base, below: [name] }, 'x', '')).rejects.toMatchObject({
    reason: 'UnsafePath',
  });
});

test('a directory in place of the sentinel fails for good, with nothing left beside it', async () => {
  mkdirSync(join(base, 'a/done'), { recursive: true });
  await expect(writeSentinel({ base, below: ['a'] }, 'done', '')).rejects.toMatchObject({
    kind: 'terminal',
    reason: 'SentinelFailed',
  });
  expect(readdirSync(join(base, 'a'))).toEqual(['done']);
});

test('a directory that is not there is gone', async () => {
  await expect(writeSentinel({ base, below: ['a'] }, 'done', '')).rejects.toMatchObject({
    kind: 'gone',
  });
});

test('a file in place of a directory is refused', async () => {
  writeFileSync(join(base, 'a'), '');
  await expect(writeSentinel({ base, below: ['a'] }, 'done', '')).rejects.toMatchObject({
    reason: 'UnsafePath',
  });
});

test('of several who claim a sentinel one gets it, and what it wrote stays', async () => {
  mkdirSync(join(base, 'a'));
  const claims = ['1', '2', '3'].map((text) => claimSentinel({ base, below: ['a'] }, 'mine', text));
  const results = await Promise.allSettled(claims);
  const won = results.findIndex(({ status }) => status === 'fulfilled');
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(results.find(({ status }) => status === 'rejected')).toMatchObject({
    reason: { kind: 'terminal', reason: 'SentinelExists' },
  });
  expect(readFileSync(join(base, 'a/mine'), 'utf8')).toBe(String(won + 1));
  expect(readdirSync(join(base, 'a'))).toEqual(['mine']);
});
