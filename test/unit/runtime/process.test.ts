import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { createLog, isLogLevel, silentLog } from '../../../runtime/log.ts';
import { stopSignal } from '../../../runtime/process.ts';

it('aborts on the first signal, keeps listening, and ends at once on the second', () => {
  const codes: number[] = [];
  const source = Object.assign(new EventEmitter(), { exit: (code: number) => codes.push(code) });
  const signal = stopSignal(source, silentLog);
  expect(signal.aborted).toBe(false);
  source.emit('SIGINT', 'SIGINT');
  expect(signal.reason).toMatchObject({ message: 'received SIGINT' });
  expect(source.listenerCount('SIGINT')).toBe(1);
  expect(codes).toEqual([]);
  source.emit('SIGTERM', 'SIGTERM');
  expect(codes).toEqual([143]);
});

it('logs lines of JSON with the level by name, and no secrets', () => {
  const lines: string[] = [];
  const log = createLog(
    { name: 'test', level: 'info' },
    { write: (line) => void lines.push(line) },
  );
  log.debug({}, 'not this');
  log.info({ key: 'default/one', user: { token: 'secret' } }, 'constant message');
  expect(lines).toHaveLength(1);
  expect(JSON.parse(lines[0] ?? '')).toMatchObject({
    level: 'info',
    name: 'test',
    key: 'default/one',
    user: { token: '[Redacted]' },
    msg: 'constant message',
  });
});

it('knows its levels', () => {
  expect([isLogLevel('warn'), isLogLevel('loud')]).toEqual([true, false]);
});
