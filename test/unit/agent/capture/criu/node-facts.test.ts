import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readFiles } from '../../../../../agent/capture/criu/captured-files.ts';
import { findFreezer, findTracingProblem } from '../../../../../agent/capture/criu/node-facts.ts';
import { findOwnMounts } from '../../../../../agent/capture/criu/own-mounts.ts';
import { parseMountinfo } from '../../../../../agent/proc/mountinfo.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'node-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function make(path: string, text: string): void {
  mkdirSync(join(root, path, '..'), { recursive: true });
  writeFileSync(join(root, path), text);
}

/** Made, in the form that Linux 6.18 gives them. */
test.each([
  ['cgroup v1', '6:freezer:/kubepods/a\n', 'cgroup/freezer/kubepods/a/freezer.state', 'FROZEN\n'],
  ['v1, about to be', '6:freezer:/a\n', 'cgroup/freezer/a/freezer.state', 'FREEZING\n'],
  ['cgroup v2', '0::/kubepods/a\n', 'cgroup/kubepods/a/cgroup.events', 'populated 1\nfrozen 1\n'],
  ['v2 beside v1', '0::/a\n', 'cgroup/unified/a/cgroup.events', 'populated 1\nfrozen 1\n'],
])('a paused container is seen under %s', async (_, cgroup, file, text) => {
  make('proc/7/cgroup', cgroup);
  make(file, text);
  const path = /(\/[a-z/]+)\n/.exec(cgroup)?.[1];
  expect(await findFreezer(join(root, 'proc'), join(root, 'cgroup'), 7)).toBe(path);
});

test.each([
  ['one that runs', '6:freezer:/a\n0::/a\n', 'THAWED\n'],
  ['one whose cgroup cannot be found from here', '6:freezer:/../a\n', 'FROZEN\n'],
  ['a frozen cgroup of another', '6:freezer:/b\n', 'FROZEN\n'],
])('not taken for paused: %s', async (_, cgroup, text) => {
  make('proc/7/cgroup', cgroup);
  make('cgroup/freezer/a/freezer.state', text);
  make('cgroup/a/cgroup.events', 'populated 1\nfrozen 0\n');
  expect(await findFreezer(join(root, 'proc'), join(root, 'cgroup'), 7)).toBeUndefined();
});

test('a node that forbids tracing altogether is seen, one that limits it to root is not', async () => {
  expect(await findTracingProblem(root)).toBeUndefined();
  make('sys/kernel/yama/ptrace_scope', '2\n');
  expect(await findTracingProblem(root)).toBeUndefined();
  make('sys/kernel/yama/ptrace_scope', '3\n');
  expect(await findTracingProblem(root)).toMatch(/ptrace_scope is 3/);
});

test('a file system that a container mounted for itself is found among those of the runtime', () => {
  const mounts = parseMountinfo(
    [
      '1 0 0:1 / / rw - overlay overlay rw',
      '2 1 0:2 / /proc rw - proc proc rw',
      '3 1 0:3 / /dev rw - tmpfs tmpfs rw',
      '4 2 0:4 / /proc/acpi ro - tmpfs tmpfs ro',
      '5 3 0:5 / /dev/shm rw - tmpfs shm rw',
      '6 1 0:6 / /cache rw - tmpfs tmpfs rw',
      '7 1 0:7 /containers/x/hostname /etc/hostname rw - tmpfs tmpfs rw',
      '11 1 0:9 / /run/secrets/kubernetes.io/serviceaccount ro - tmpfs tmpfs ro',
      '8 1 0:8 / /mnt/ram rw - tmpfs none rw',
      '9 1 0:9 / /var/lib/docker/overlay2/x/merged rw - overlay overlay rw',
      '10 1 8:1 / /data rw - ext4 /dev/sda rw',
    ].join('\n'),
  );
  expect(findOwnMounts(mounts, ['/cache'])).toEqual([
    { path: '/mnt/ram', fileSystem: 'tmpfs' },
    { path: '/var/lib/docker/overlay2/x/merged', fileSystem: 'overlay' },
  ]);
});

test('the writable layer is measured, and an ordinary file is no device', async () => {
  make('layer/file', 'x'.repeat(100_000));
  const facts = await readFiles(join(root, 'layer'), new AbortController().signal);
  expect(facts.bytes).toBeGreaterThanOrEqual(100_000);
  expect(facts.devices).toEqual([]);
});
