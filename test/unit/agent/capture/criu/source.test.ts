import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  readSource,
  upperDirectoryOf,
  upperDirectoryProblem,
} from '../../../../../agent/capture/criu/source.ts';
import { parseMountinfo } from '../../../../../agent/proc/mountinfo.ts';

const roots = ['/var/lib/containerd', '/run/containerd'];
const problem = (line: string) => upperDirectoryProblem(parseMountinfo(line), roots);
const overlay = (upper: string) => `1 0 0:1 / / rw - overlay overlay rw,upperdir=${upper}`;

test("a layer below a runtime's directory is accepted", () => {
  expect(problem(overlay('/var/lib/containerd/snapshots/8/fs'))).toBeUndefined();
});

test('an overlay without a layer to write to is accepted: there is nothing to capture', () => {
  const readOnly = '1 0 0:1 / / ro - overlay overlay ro,lowerdir=/a:/b';
  expect(problem(readOnly)).toBeUndefined();
  expect(upperDirectoryOf(parseMountinfo(readOnly), roots)).toBeUndefined();
});

test.each([
  ['elsewhere', overlay('/etc'), /outside/],
  ['a directory that only begins alike', overlay('/var/lib/containerd-evil/fs'), /outside/],
  ['a way up', overlay('/var/lib/containerd/../../etc'), /outside/],
  ['relative', overlay('var/lib/containerd/fs'), /outside/],
  ['no overlay', '1 0 0:1 / / rw - btrfs /dev/sda rw', /a btrfs, not an overlay/],
  ['no root', '1 0 0:1 / /x rw - ext4 /dev/sda rw', /not visible/],
])('a layer is refused: %s', (_, line, message) => {
  expect(problem(line)).toMatch(message);
});

test.each([
  ["the node's", 'user:[1]', undefined],
  ['one of its own', 'user:[2]', /user namespace of its own/],
])("a mount table is believed in the node's user namespace only: %s", async (_, user, refusal) => {
  const procRoot = mkdtempSync(join(tmpdir(), 'source-'));
  const link = (pid: number, name: string, target: string): void => {
    mkdirSync(join(procRoot, `${pid}/ns`), { recursive: true });
    symlinkSync(target, join(procRoot, `${pid}/ns/${name}`));
  };
  link(1, 'user', 'user:[1]');
  link(7, 'user', user);
  link(7, 'net', 'net:[3]');
  writeFileSync(join(procRoot, '7/mountinfo'), overlay('/var/lib/containerd/snapshots/8/fs'));
  writeFileSync(join(procRoot, '7/stat'), `7 (x) S 1 1 1 ${'0 '.repeat(15)}70 0\n`);
  const reading = readSource(procRoot, { pid: 7, startTicks: 70 }, roots);
  if (refusal === undefined) expect((await reading).networkNamespaceInode).toBe('3');
  else await expect(reading).rejects.toThrow(refusal);
  rmSync(procRoot, { recursive: true });
});
