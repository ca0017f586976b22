import { describe, expect, test } from 'vitest';
import { hasEnded, parseProcStat } from '../../bed/proc-stat.ts';
import { identify, isRunning, signalProcess } from '../../bed/process.ts';

const line = (command: string): string =>
  `4242 (${command}) S 17 4242 4242 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 200`;

describe('the identity of a process', () => {
  test('is its pid and its start time', () => {
    expect(parseProcStat(line('etcd'))).toEqual({
      pid: 4242,
      command: 'etcd',
      state: 'S',
      parentPid: 17,
      threads: 1,
      startTicks: '987654',
    });
  });

  test('is found whatever the command is called', () => {
    for (const command of ['a b', 'x) R 1', '(', ') S 1 (']) {
      const stat = parseProcStat(line(command));
      expect(stat?.command).toBe(command);
      expect(stat?.startTicks).toBe('987654');
    }
  });

  test('has ended only with its last thread: until then its sockets are open', () => {
    const stat = parseProcStat(line('kube-apiserver'));
    if (stat === undefined) throw new Error('not parsed');
    expect(hasEnded({ ...stat, state: 'Z', threads: 9 })).toBe(false);
    expect(hasEnded({ ...stat, state: 'Z', threads: 1 })).toBe(true);
    expect(hasEnded(stat)).toBe(false);
  });

  test('is not made up from a line that is cut off', () => {
    expect(parseProcStat('')).toBeUndefined();
    expect(parseProcStat('4242 (etcd) S 17')).toBeUndefined();
  });

  test('tells this process from another that would get its pid', () => {
    const own = identify(process.pid);
    expect(isRunning(own)).toBe(true);
    const other = { ...own, startTicks: String(Number(own.startTicks) + 1) };
    expect(isRunning(other)).toBe(false);
    expect(signalProcess(other, 'SIGKILL')).toBe(false);
  });
});
