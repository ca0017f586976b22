import { expect, test } from 'vitest';
import {
  overlayUpperDirectory,
  parseMountinfo,
  visibleMounts,
} from '../../../../agent/proc/mountinfo.ts';

const overlay =
  '662 844 0:212 / / rw,relatime shared:1 master:2 - overlay overlay rw,lowerdir=/l/1:/l/2,upperdir=/var/lib/containerd/snapshots/8/fs,workdir=/w,uuid=on';

test('a line with optional fields is taken apart', () => {
  expect(parseMountinfo(`${overlay}\n`)).toMatchObject([
    { id: 662, parentID: 844, device: '0:212', root: '/', mountPoint: '/', fileSystem: 'overlay' },
  ]);
});

test('octal escapes in root, mount point and source are resolved', () => {
  const [mount] = parseMountinfo('1 2 0:3 /a\\040b /x\\011y\\134z rw - tmpfs a\\040b rw');
  expect(mount).toMatchObject({ root: '/a b', mountPoint: '/x\ty\\z', source: 'a b' });
});

test('a line cut short is left out', () => {
  expect(parseMountinfo('1 2 0:3 / /\n662 844 0:2')).toEqual([]);
});

test.each([
  ['plain', 'upperdir=/a/fs', '/a/fs'],
  ['with a comma, as newer kernels write it', 'upperdir=/a\\054b/fs', '/a,b/fs'],
  ['with a colon', 'upperdir=/a\\134:b/fs', '/a:b/fs'],
  ['missing', 'workdir=/w', undefined],
])('the upper directory of an overlay: %s', (_, option, expected) => {
  const [mount] = parseMountinfo(`1 2 0:3 / / rw - overlay overlay rw,lowerdir=/l,${option}`);
  expect(mount && overlayUpperDirectory(mount)).toBe(expected);
});

test('a file system that is no overlay has no upper directory, whatever its options say', () => {
  const [mount] = parseMountinfo('1 2 0:3 / / rw - tmpfs tmpfs rw,upperdir=/etc');
  expect(mount && overlayUpperDirectory(mount)).toBeUndefined();
});

test('of two mounts at one place the later one is seen', () => {
  const mounts = parseMountinfo(
    '1 2 0:3 / /a rw - tmpfs one rw\n2 2 0:4 / /b rw - tmpfs b rw\n3 2 0:5 / /a rw - tmpfs two rw',
  );
  expect(visibleMounts(mounts).map((mount) => mount.source)).toEqual(['b', 'two']);
});
