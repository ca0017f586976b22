import { mkdir, mkdtemp, open, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { findWatches, parseWatches } from '../../../../../agent/capture/criu/watches.ts';
import type { ProcessFacts } from '../../../../../agent/capture/facts.ts';
import type { Mount } from '../../../../../agent/proc/mountinfo.ts';

/** Linux 6.18: an overlay, then a volume on a disk. */
const fdinfo = `pos:\t0
flags:\t02004000
mnt_id:\t15
ino:\t64
inotify wd:2 ino:1f sdev:2a mask:100 ignored_mask:0 fhandle-bytes:24 fhandle-type:f8 f_handle:00000000fb210401
inotify wd:1 ino:abc sdev:800001 mask:100 ignored_mask:0 fhandle-bytes:8 fhandle-type:1 f_handle:ff
`;

describe('the watches of an inotify descriptor', () => {
  it('are those of the device asked for', () => {
    expect(parseWatches(fdinfo, '0:42')).toEqual([0x1fn]);
    expect(parseWatches(fdinfo, '8:1')).toEqual([0xabcn]);
    expect(parseWatches(fdinfo, '0:1')).toEqual([]);
    expect(parseWatches('', '0:42')).toEqual([]);
  });

  describe('in a tree', () => {
    const signal = new AbortController().signal;
    let directory: string;
    let root: string;
    beforeEach(async () => {
      directory = await mkdtemp(join(tmpdir(), 'watches-'));
      root = join(directory, 'tree');
      await mkdir(join(directory, '7/fdinfo'), { recursive: true });
      await mkdir(root);
      await symlink(root, join(directory, '7/root'));
    });
    afterEach(() => rm(directory, { recursive: true, force: true }));

    const find = async (...watched: readonly bigint[]) => {
      const { dev } = await stat(root, { bigint: true });
      const major = ((dev >> 8n) & 0xfffn) | ((dev >> 32n) & 0xfffff000n);
      const minor = (dev & 0xffn) | ((dev >> 12n) & 0xffffff00n);
      const device = `${major}:${minor}`;
      const sdev = ((major << 20n) | minor).toString(16);
      const lines = watched.map(
        (inode, index) =>
          `inotify wd:${index + 1} ino:${inode.toString(16)} sdev:${sdev} mask:100\n`,
      );
      await writeFile(join(directory, '7/fdinfo/3'), lines.join(''));
      const process: ProcessFacts = {
        ...{ pid: 7, command: 'watcher', tracer: undefined },
        ...{ mappedDevices: [], mappedObjects: [], nestedNamespaces: [] },
        descriptors: [
          { fd: 0, target: '/dev/null' },
          { fd: 3, target: 'anon_inode:inotify' },
        ],
      };
      const mount: Mount = {
        ...{ id: 1, parentID: 0, device, root: '/', mountPoint: '/', fileSystem: 'overlay' },
        ...{ source: 'overlay', superOptions: [] },
      };
      return findWatches(directory, 7, [process], [mount], signal);
    };
    const inodeOf = async (path: string): Promise<bigint> =>
      (await stat(path, { bigint: true })).ino;

    it('have the paths that lead to them, whatever their names, and no link is followed', async () => {
      const names = ['plain', 'a\nb', 'ünicode', '-name', 'x'.repeat(255)];
      for (const name of names) await mkdir(join(root, name));
      await symlink('/', join(root, 'plain/link'));
      const inodes = await Promise.all(names.map((name) => inodeOf(join(root, name))));
      const found = await find(...inodes, ...inodes);
      expect([...found.paths].sort()).toEqual(names.map((name) => `/${name}`).sort());
      expect(found.unnamed).toEqual([]);
    });

    it('are named as hopeless where no path leads to them', async () => {
      await using file = await open(join(root, 'gone'), 'w');
      const { ino } = await file.stat({ bigint: true });
      await rm(join(root, 'gone'));
      expect(await find(ino, await inodeOf(root))).toEqual({
        paths: [],
        unnamed: [expect.stringMatching(/^process 7 \(watcher\), descriptor 3 watches .* no path/)],
      });
    });

    it('are refused when there are too many for a command line', async () => {
      const many = Array.from({ length: 1001 }, (_, index) => BigInt(index + 1));
      expect(await find(...many)).toEqual({
        paths: [],
        unnamed: [expect.stringMatching(/^1001 files .* at most 1000/)],
      });
    });

    it('cost nothing where there are none', async () => {
      expect(await find()).toEqual({ paths: [], unnamed: [] });
    });
  });
});
