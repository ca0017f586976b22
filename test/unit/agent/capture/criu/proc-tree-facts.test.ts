import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import {
  findNamespacesSharedWithNode,
  findProcessesBeside,
  hasOwnUserNamespace,
  readProcessFacts,
} from '../../../../../agent/capture/criu/process-facts.ts';

/** A made /proc: pid 1 is the node's, 7 the container's first process, 8 its child with a second thread 9, 30 a `kubectl exec`, 99 a debugger. */
let procRoot: string;
const root = { pid: 7, startTicks: 70 };

beforeEach(() => {
  procRoot = mkdtempSync(join(tmpdir(), 'facts-'));
  add({ pid: 1, name: 'systemd', parent: 0, namespaces: { pid: 1, user: 1, net: 1, ipc: 1 } });
  const inside = { pid: 2, user: 1, net: 2, ipc: 2, uts: 2 };
  add({ pid: 7, name: 'server', parent: 5, namespaces: inside });
  add({
    pid: 8,
    name: 'worker',
    parent: 7,
    namespaces: { ...inside, pid: 3 },
    threads: [
      [8, 0],
      [9, 99],
    ],
  });
  add({ pid: 30, name: 'sh', parent: 5, namespaces: inside });
  add({ pid: 99, name: 'gdb', parent: 1, namespaces: { pid: 1, user: 1 } });
});
afterEach(() => rmSync(procRoot, { recursive: true }));

type Made = {
  readonly pid: number;
  readonly name: string;
  readonly parent: number;
  readonly namespaces: Readonly<Record<string, number>>;
  /** Thread and its tracer. */
  readonly threads?: readonly (readonly [number, number])[];
};

function add({ pid, name, parent, namespaces, threads = [[pid, 0]] }: Made): void {
  const at = join(procRoot, String(pid));
  mkdirSync(join(at, 'ns'), { recursive: true });
  mkdirSync(join(at, 'fd'));
  writeFileSync(join(at, 'maps'), '');
  writeFileSync(join(at, 'stat'), `${pid} (${name}) S ${parent} ${'0 '.repeat(17)}${pid * 10} 0\n`);
  writeFileSync(join(at, 'status'), `Name:\t${name}\nTracerPid:\t0\nRssAnon:\t4 kB\n`);
  for (const [namespace, inode] of Object.entries(namespaces)) {
    symlinkSync(`${namespace}:[${inode}]`, join(at, 'ns', namespace));
  }
  for (const [thread, tracer] of threads) {
    mkdirSync(join(at, 'task', String(thread)), { recursive: true });
    const status = `Name:\t${name}\nTracerPid:\t${tracer}\n`;
    writeFileSync(join(at, 'task', String(thread), 'status'), status);
  }
}

test('the tracer of any thread is found and named, and a namespace below the container', async () => {
  const { processes, memoryBytes } = await readProcessFacts(procRoot, root, []);
  expect(processes).toMatchObject([
    { pid: 7, tracer: undefined, nestedNamespaces: [] },
    { pid: 8, tracer: { pid: 99, command: 'gdb' }, nestedNamespaces: ['pid'] },
  ]);
  expect(memoryBytes).toBe(8192);
});

test('a process that was started from outside is in the container and not of the capture', async () => {
  const { processes } = await readProcessFacts(procRoot, root, []);
  expect(await findProcessesBeside(procRoot, root, processes)).toEqual([
    { pid: 30, command: 'sh' },
  ]);
});

test("the container's namespaces are compared with the node's", async () => {
  expect(await findNamespacesSharedWithNode(procRoot, 7)).toEqual([]);
  expect(await findNamespacesSharedWithNode(procRoot, 99)).toEqual(['hostPID']);
  expect(await hasOwnUserNamespace(procRoot, 7)).toBe(false);
});
