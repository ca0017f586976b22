import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { isOnAnsweringFileSystem } from '../../../../../agent/capture/criu/descriptors.ts';
import { readProcessFacts } from '../../../../../agent/capture/criu/process-facts.ts';
import { findOutsideConnections } from '../../../../../agent/capture/criu/sockets.ts';
import type { ProcessFacts } from '../../../../../agent/capture/facts.ts';
import { parseMountinfo } from '../../../../../agent/proc/mountinfo.ts';
import { identify, readProc } from '../../../../../agent/proc/process-table.ts';

/**
 * A real process with what preflight looks for: a connection to this process and one to itself, a file without a name, devices. It says when all
 * is there.
 */
const program = `
import { openSync, unlinkSync, writeFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
const [directory] = process.argv.slice(1);
const kept = [connect(directory + '/outside'), openSync('/dev/null'), openSync('/dev/kmsg')];
const file = directory + '/deleted';
writeFileSync(file, Buffer.alloc(100_000, 1));
kept.push(openSync(file));
unlinkSync(file);
const inside = createServer((socket) => { kept.push(socket); console.log('ready'); });
inside.listen(directory + '/inside', () => kept.push(connect(directory + '/inside')));
setInterval(() => kept.length, 1000);
`;

let directory: string;
let outside: Server;
let child: ChildProcess;
let facts: ProcessFacts;
let pid: number;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'facts-'));
  outside = createServer(() => undefined).listen(join(directory, 'outside'));
  await once(outside, 'listening');
  child = spawn(process.execPath, ['--input-type=module', '-e', program, directory]);
  pid = child.pid ?? 0;
  if (child.stdout === null) throw new Error('no output');
  await once(child.stdout, 'data');
  const root = await identify('/proc', pid);
  if (root === undefined) throw new Error('the program has ended');
  const mounts = parseMountinfo((await readProc(`/proc/${pid}/mountinfo`)) ?? '');
  const found = await readProcessFacts('/proc', root, mounts);
  const [first] = found.processes;
  if (first === undefined) throw new Error('nothing was found');
  facts = first;
});
afterAll(async () => {
  child.kill('SIGKILL');
  await once(child, 'exit');
  outside.close();
  rmSync(directory, { recursive: true });
});

test('devices are known by number, and a file without a name by its size', () => {
  const of = (target: string) => facts.descriptors.find((one) => one.target === target);
  expect(of('/dev/null')?.device).toEqual({ kind: 'character', number: '1:3' });
  expect(of('/dev/kmsg')?.device).toEqual({ kind: 'character', number: '1:11' });
  expect(of(`${directory}/deleted (deleted)`)?.unlinkedBytes).toBeGreaterThanOrEqual(100_000);
});

test('nobody traces it, and it is in the namespaces it should be in', () => {
  expect(facts).toMatchObject({ pid, tracer: undefined, nestedNamespaces: [] });
});

test('of its unix connections only the one that leaves it is found, with the name people know', async () => {
  const { signal } = new AbortController();
  const found = await findOutsideConnections('/proc', pid, [facts], signal);
  const what = `unix socket ${directory}/outside`;
  expect(found.unixPeersOutside.filter((one) => one.what.includes(directory))).toEqual([
    { pid, command: facts.command, fd: expect.any(Number), what },
  ]);
});

const mounts = parseMountinfo(
  [
    '1 0 0:1 / / rw - overlay overlay rw',
    '2 1 0:2 / /data rw - nfs4 server:/x rw',
    '3 2 0:3 / /data/cache rw - ext4 /dev/sda rw',
  ].join('\n'),
);
test.each([
  ['/bin/sh', true],
  ['/data/file', false],
  ['/database', true],
  ['/data/cache/file', true],
  ['socket:[1]', false],
])('whether %s is on a file system that answers: %s', (path, expected) => {
  expect(isOnAnsweringFileSystem(path, mounts)).toBe(expected);
});
