import { expect, test } from 'vitest';
import { parseStat, parseStatus } from '../../../../agent/proc/process-text.ts';

const tail =
  'S 5770 5873 5873 0 -1 4194560 19018 0 0 0 26 18 0 0 20 0 9 0 307017 687841280 19128 0 1 1';

test.each([
  ['plain', 'python3'],
  ['with spaces', 'tmux: server'],
  ['with parentheses that look like the end', 'a) R 1 (b'],
  ['with a newline', 'a\nb'],
  ['empty', ''],
])('a command %s does not confuse the fields of stat', (_, command) => {
  expect(parseStat(`5873 (${command}) ${tail}\n`)).toEqual({
    pid: 5873,
    command,
    state: 'S',
    parentPid: 5770,
    threads: 9,
    startTicks: 307017,
  });
});

test.each(['', '12', '12 (sh', '12 (sh) S 1 2'])('a stat cut short is none: %j', (text) => {
  expect(parseStat(text)).toBeUndefined();
});

test('status gives the pids from the outer to the inner namespace and sizes in bytes', () => {
  const text =
    'Name:\tpython3\nTracerPid:\t12\nUid:\t33\t33\t33\t33\nNSpid:\t5873\t17\t1\nRssAnon:\t   70128 kB\nRssShmem:\t       4 kB\nVmSwap:\t       8 kB\n';
  expect(parseStatus(text)).toEqual({
    name: 'python3',
    tracerPid: 12,
    uid: 33,
    namespacePids: [5873, 17, 1],
    anonymousBytes: 70128 * 1024,
    sharedMemoryBytes: 4096,
    swapBytes: 8192,
  });
});

test('a kernel thread, which has no memory of its own, counts as empty', () => {
  expect(parseStatus('Name:\tkthreadd\nNSpid:\t2\n')).toMatchObject({
    anonymousBytes: 0,
    namespacePids: [2],
  });
});
