import { expect, test } from 'vitest';
import {
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
