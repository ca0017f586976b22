import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseContainerID, resolveContainers } from '../../../../agent/capture/resolve.ts';
import { procTrees, writeProcTree } from './support/proc-trees.ts';

const id = '4f603eb7ca12ccfe4d2fdc4cfad2b8d1fd6174d00a43b626c1fe35481142f485';
const path = `/kubepods/besteffort/poda1c376e4/${id}`;
let procRoot: string;

beforeEach(() => {
  procRoot = mkdtempSync(join(tmpdir(), 'proc-'));
  add({ pid: process.pid, namespacePids: [process.pid], cgroup: '0::/\n' });
});
afterEach(() => rmSync(procRoot, { recursive: true }));

type Made = {
  readonly pid: number;
  readonly namespacePids: readonly number[];
  readonly cgroup: string;
  readonly state?: string;
};

function add({ pid, namespacePids, cgroup, state = 'S' }: Made): void {
  const directory = join(procRoot, String(pid));
  mkdirSync(directory);
  writeFileSync(join(directory, 'cgroup'), cgroup);
  writeFileSync(join(directory, 'status'), `Name:\tsh\nNSpid:\t${namespacePids.join('\t')}\n`);
  const stat = `${pid} (sh) ${state} 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 ${pid * 10} 0 0\n`;
  writeFileSync(join(directory, 'stat'), stat);
}

const resolve = () =>
  resolveContainers(procRoot, [{ name: 'main', containerID: `containerd://${id}` }]);

describe('on a node', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tree-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test.each(procTrees)('with $title the init of the container is found', async (tree) => {
    await writeProcTree(directory, tree);
    const { containerID, initPid: pid } = tree;
    expect(await resolveContainers(directory, [{ name: 'main', containerID }])).toEqual([
      { name: 'main', containerID, root: { pid, startTicks: pid * 10 } },
    ]);
  });
});

test('a monitor that outlived its container is not taken for it', async () => {
  add({ pid: 500, namespacePids: [500], cgroup: `0::/kubepods/podx/crio-conmon-${id}\n` });
  await expect(resolve()).rejects.toMatchObject({
    message: expect.stringMatching(/no process belongs/),
  });
});

test.each([
  ['cgroup v1', `4:memory:${path}\n1:name=systemd:${path}\n0::/\n`],
  ['cgroup v2', `0::${path}\n`],
])('the init of a container is found under %s', async (_, cgroup) => {
  add({ pid: 500, namespacePids: [500, 1], cgroup });
  add({ pid: 501, namespacePids: [501, 8], cgroup });
  expect(await resolve()).toEqual([
    { name: 'main', containerID: `containerd://${id}`, root: { pid: 500, startTicks: 5000 } },
  ]);
});

test('the first process of a namespace inside the container is not its init', async () => {
  add({ pid: 500, namespacePids: [500, 1], cgroup: `0::${path}\n` });
  add({ pid: 600, namespacePids: [600, 9, 1], cgroup: `0::${path}\n` });
  expect((await resolve())[0]?.root.pid).toBe(500);
});

test.each<[string, readonly Made[], RegExp]>([
  ['no process at all', [], /no process belongs/],
  [
    "a pod with the node's PID namespace",
    [{ pid: 500, namespacePids: [500], cgroup: `0::${path}\n` }],
    /hostPID/,
  ],
  [
    'a pod that shares one PID namespace',
    [{ pid: 500, namespacePids: [500, 7], cgroup: `0::${path}\n` }],
    /shareProcessNamespace/,
  ],
  [
    'two that claim to be it',
    [
      { pid: 500, namespacePids: [500, 1], cgroup: `0::${path}\n` },
      { pid: 501, namespacePids: [501, 1], cgroup: `0::${path}\n` },
    ],
    /more than one/,
  ],
  [
    'one that has ended',
    [{ pid: 500, namespacePids: [500, 1], cgroup: `0::${path}\n`, state: 'Z' }],
    /ended/,
  ],
])('refused with its reason: %s', async (_, processes, message) => {
  for (const made of processes) add(made);
  await expect(resolve()).rejects.toMatchObject({
    kind: 'terminal',
    reason: 'ContainerNotResolved',
    message: expect.stringMatching(message),
  });
});

test.each([
  [`containerd://${id}`, id],
  [`cri-o://${id}`, id],
  [id, undefined],
  ['containerd://../../etc', undefined],
  [`docker://${id.slice(1)}`, undefined],
])('the container ID %s is read as %s', (text, expected) => {
  expect(parseContainerID(text)).toBe(expected);
});
