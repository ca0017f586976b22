import { expect, test } from 'vitest';
import {
  decisiveLines,
  millisecondsFrozenBeforeHold,
} from '../../../../../agent/capture/criu/log.ts';

const log = [
  "(00.001335) Error (criu/util.c:1534): rlimit: Can't setup RLIMIT_NOFILE for self: Operation not permitted",
  '(00.001343) Running pre-dump scripts',
  '(00.003726) Detected cgroup V1 freezer',
  '(00.003860) Seized task 220, state 1',
  '(00.004017) Seized task 269, state 1',
  '(00.043632) Running post-dump scripts',
  "(00.073475) Error (criu/parasite.c:280): Can't retrieve FDs from socket",
  '(00.073480) Error (criu/cr-dump.c:1975): Dumping FAILED.',
].join('\n');

test('the freeze is counted from the line before the first stop to the hold', () => {
  expect(millisecondsFrozenBeforeHold(log)).toBeCloseTo(39.906, 3);
});

test.each([
  ['an empty log', ''],
  ['a log without a stop', '(00.1) Running post-dump scripts'],
  ['a log without a hold', '(00.1) x\n(00.2) Seized task 1, state 1'],
  ['a log that runs backwards', '(00.3) x\n(00.3) Seized task 1\n(00.2) Running post-dump scripts'],
])('no freeze is made up from %s', (_, text) => {
  expect(millisecondsFrozenBeforeHold(text)).toBeUndefined();
});

test('the errors are shown, without those every dump has', () => {
  expect(decisiveLines(log)).toEqual([
    "Error (criu/parasite.c:280): Can't retrieve FDs from socket",
    'Error (criu/cr-dump.c:1975): Dumping FAILED.',
  ]);
});

test('of a restore, what its processes say counts, and that a helper of CRIU ended does not', () => {
  const restore = [
    "(00.061)      3: Error (criu/sk-inet.c:1006): inet: Can't bind inet socket (id 7)",
    '(00.062) pie: 3: Error (criu/pie/restorer.c:100): no',
    '(00.063) Error (criu/cr-restore.c:2331): Restoring FAILED.',
    '(00.064) Error (criu/cgroup.c:2055): cg: cgroupd: recv req error: No such file or directory',
  ].join('\n');
  expect(decisiveLines(restore)).toEqual([
    "Error (criu/sk-inet.c:1006): inet: Can't bind inet socket (id 7)",
    'Error (criu/pie/restorer.c:100): no',
    'Error (criu/cr-restore.c:2331): Restoring FAILED.',
  ]);
});

test('without an error the last lines are shown, cut to a bearable length', () => {
  const lines = decisiveLines(`(00.1) one\n(00.2) two\nsh: ${'x'.repeat(1000)}\n`);
  expect(lines[0]).toBe('two');
  expect(lines[1]).toHaveLength(300);
});
