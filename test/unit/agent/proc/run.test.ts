import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { run, startDetached } from '../../../../agent/proc/run.ts';

const signal = new AbortController().signal;
let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'run-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

test('a failure is a result that names the code and the last words', async () => {
  const result = await run(['sh', '-c', 'echo one >&2; echo two >&2; exit 3'], { signal });
  expect(result).toMatchObject({ ok: false, exitCode: 3, why: 'sh exited with 3: two' });
});

test('a program that is not there is a result', async () => {
  const result = await run(['no-such-program'], { signal });
  expect(result).toMatchObject({ ok: false, why: 'no-such-program is not there' });
});

test('nothing of our environment reaches the program', async () => {
  process.env.CRYOPOD_SECRET = 'x';
  const result = await run(['env'], { signal, environment: { A: 'b' } });
  delete process.env.CRYOPOD_SECRET;
  expect(
    result.stdout
      .split('\n')
      .filter(Boolean)
      .map((line) => line.split('=')[0]),
  ).toEqual(['PATH', 'LC_ALL', 'A']);
});

test('stdin is given, and empty when not', async () => {
  expect((await run(['cat'], { signal, stdin: 'hello' })).stdout).toBe('hello');
  expect((await run(['cat'], { signal })).stdout).toBe('');
});

test('an inherited descriptor is number 3', async () => {
  writeFileSync(join(directory, 'f'), 'inside');
  const handle = await open(join(directory, 'f'));
  const result = await run(['cat', '/proc/self/fd/3'], { signal, inherit: [handle.fd] });
  await handle.close();
  expect(result.stdout).toBe('inside');
});

test('output goes to a new private file, never through a link', async () => {
  const file = join(directory, 'out');
  const result = await run(['echo', 'x'], { signal, stdoutFile: file });
  expect(result).toMatchObject({ ok: true, stdout: '' });
  expect(readFileSync(file, 'utf8')).toBe('x\n');
  expect(statSync(file).mode & 0o777).toBe(0o600);
  symlinkSync(join(directory, 'elsewhere'), join(directory, 'link'));
  await expect(
    run(['echo'], { signal, stdoutFile: join(directory, 'link') }),
  ).rejects.toMatchObject({ code: 'EEXIST' });
});

test('an abort ends the program and what it started', async () => {
  const controller = new AbortController();
  const running = run(['sh', '-c', 'sleep 60 & wait'], { signal: controller.signal });
  controller.abort(new Error('enough'));
  expect(await running).toMatchObject({ ok: false, exitCode: undefined });
});

test('a detached program has a session of its own, greets, and hears one line', async () => {
  const outputFile = join(directory, 'out');
  const child = startDetached(
    ['sh', '-c', 'echo hi; read -r word; echo "$word" "$(cut -d" " -f6 /proc/$$/stat)" >&2'],
    { outputFile, cwd: '/', environment: {}, channel: false },
  );
  expect(await child.greeting).toBe('hi\n');
  child.tell('start');
  expect(await child.ended).toEqual({ exitCode: 0, signal: undefined });
  expect(readFileSync(outputFile, 'utf8')).toBe(`start ${child.pid}\n`);
});

test('a detached program that is hung up on reads end of file', async () => {
  const child = startDetached(['sh', '-c', 'read -r word || exit 7'], {
    outputFile: join(directory, 'out'),
    cwd: '/',
    environment: {},
    channel: false,
  });
  child.hangUp();
  expect(await child.ended).toEqual({ exitCode: 7, signal: undefined });
  expect(await child.greeting).toBeUndefined();
});

test('a detached program that cannot start throws', () => {
  const options = { outputFile: join(directory, 'out'), cwd: '/', environment: {}, channel: false };
  expect(() => startDetached(['no-such-program'], options)).toThrow(/could not be started/);
});

test('a detached program with a channel speaks to us on descriptor 3, and each side sees the other go', async () => {
  const child = startDetached(
    ['sh', '-c', 'trap "" PIPE; echo first >&3; read -r word <&3; echo "$word" >&3; cat <&3 >&2'],
    { outputFile: join(directory, 'out'), cwd: '/', environment: {}, channel: true },
  );
  const { channel } = child;
  if (channel === undefined) throw new Error('no channel');
  const heard: string[] = [];
  channel.setEncoding('utf8');
  channel.on('data', (text: string) => {
    heard.push(text);
    if (heard.join('') === 'first\n') channel.write('answer\n');
    if (heard.join('') === 'first\nanswer\n') channel.destroy();
  });
  expect(await child.ended).toEqual({ exitCode: 0, signal: undefined });
  expect(heard.join('')).toBe('first\nanswer\n');
});
