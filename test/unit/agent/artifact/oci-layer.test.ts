import { execFileSync } from 'node:child_process';
import { createReadStream, existsSync } from 'node:fs';
import {
  chown,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  rm,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type LayerKind, ociLayer } from '../../../../agent/artifact/oci-layer.ts';
import { endOfArchive, tarHeaderBlock } from '../../../../agent/artifact/tar-header.ts';
import { paxBlocks } from '../../../../agent/artifact/tar-pax.ts';
import { readTar } from '../../../../agent/artifact/tar-reader.ts';
import { tarDirectory } from '../../../support/fake-dump.ts';
import { arbitraryTree, describeTree, makeTree } from '../../../support/tree.ts';

const isRoot = process.getuid?.() === 0;
const damaged = (why: string): never => {
  throw new Error(why);
};

type Line = { readonly path: string; readonly type: string; readonly pax: readonly string[] };

/** Blocks of one entry of a hand-made archive. */
function entry(
  path: string,
  type: string,
  pax: Readonly<Record<string, string>> = {},
  over: { readonly linkName?: string; readonly device?: number } = {},
): Buffer {
  const header = tarHeaderBlock({
    name: path,
    mode: 0o644,
    uid: 0,
    gid: 0,
    sizeBytes: 0,
    mtimeSeconds: 0,
    type,
    linkName: over.linkName ?? '',
    deviceMajor: over.device ?? 0,
    deviceMinor: over.device ?? 0,
  });
  return Buffer.concat([paxBlocks(new Map(Object.entries(pax))), header]);
}

async function* archive(...entries: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* entries;
  yield endOfArchive;
}

async function read(tar: AsyncIterable<Uint8Array>): Promise<readonly Line[]> {
  const lines: Line[] = [];
  for await (const { path, header, pax } of readTar(tar, damaged)) {
    lines.push({ path, type: header.type, pax: [...pax].map(([k, v]) => `${k}=${v}`).sort() });
  }
  return lines;
}

describe('an OCI layer', () => {
  let directory: string;
  let tree: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'layer-'));
    tree = join(directory, 'tree');
    await mkdir(tree);
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  /** The layer of a directory, written to a file. */
  async function layerOf(source: string, kind: LayerKind = 'rootfs'): Promise<string> {
    const tar = join(directory, 'raw.tar');
    const layer = join(directory, 'layer.tar');
    tarDirectory(source, tar);
    await writeFile(layer, ociLayer(createReadStream(tar), kind));
    return layer;
  }
  const unpack = async (layer: string): Promise<string> => {
    const out = await mkdtemp(join(directory, 'out-'));
    execFileSync(
      'tar',
      ['--xattrs', '--xattrs-include=*', '--numeric-owner', '-xpf', layer, '-C', out],
      {
        env: { PATH: process.env.PATH, LC_ALL: 'C' },
      },
    );
    return out;
  };

  it('gives back any tree, deletions as .wh. files', async () => {
    let count = 0;
    await fc.assert(
      fc.asyncProperty(arbitraryTree(isRoot), async (made) => {
        count += 1;
        const source = join(directory, `source-${count}`);
        await mkdir(source);
        makeTree(Buffer.from(source), made);
        const unpacked = await unpack(await layerOf(source));
        const whiteout = /^\["((?:.*\/)?)([^/]*)","20000"/;
        const expected = describeTree(Buffer.from(source)).map((line) => {
          const found = whiteout.exec(line);
          return found === null ? line : `whiteout ${found[1]}.wh.${found[2]}`;
        });
        const actual = describeTree(Buffer.from(unpacked)).map((line) => {
          const found = /^\["((?:.*\/)?\.wh\.[^/]*)","100000","600","0:0","0"/.exec(line);
          return found === null ? line : `whiteout ${found[1]}`;
        });
        expect([...actual].sort()).toEqual([...expected].sort());
      }),
      { numRuns: 25 },
    );
  }, 60_000);

  it('keeps owners, hard links, FIFOs, and links that lead nowhere', async () => {
    await writeFile(join(tree, 'a'), 'content');
    if (isRoot) await chown(join(tree, 'a'), 1234, 3_000_000);
    await link(join(tree, 'a'), join(tree, 'b'));
    await symlink('/etc/passwd', join(tree, 'c'));
    execFileSync('mkfifo', [join(tree, 'd')]);
    const out = await unpack(await layerOf(tree));
    expect(describeTree(Buffer.from(out))).toEqual(describeTree(Buffer.from(tree)));
  });

  it('keeps a hole a hole', async () => {
    await using file = await open(join(tree, 'sparse'), 'wx');
    await truncate(join(tree, 'sparse'), 2 ** 30);
    await file.write('end', 2 ** 30 - 3);
    const layer = await layerOf(tree);
    expect((await lstat(layer)).size).toBeLessThan(100_000);
    const found = await lstat(join(await unpack(layer), 'sparse'));
    expect(found.size).toBe(2 ** 30);
    expect(found.blocks * 512).toBeLessThan(2 ** 20);
  });

  it('is the same whenever it is taken', async () => {
    await writeFile(join(tree, 'file'), 'content');
    await using file = await open(join(tree, 'sparse'), 'wx');
    await file.write('end', 1_000_000);
    const first = execFileSync('cat', [await layerOf(tree)]);
    execFileSync('cat', [join(tree, 'file')]);
    execFileSync('touch', ['-a', join(tree, 'file')]);
    expect(execFileSync('cat', [await layerOf(tree)]).equals(first)).toBe(true);
  });

  it.runIf(isRoot)('says what a real overlay says', async () => {
    for (const name of ['lower', 'upper', 'work', 'merged']) await mkdir(join(directory, name));
    await mkdir(join(directory, 'lower/replaced'));
    await mkdir(join(directory, 'lower/deleted'));
    await writeFile(join(directory, 'lower/replaced/old'), 'x');
    await writeFile(join(directory, 'lower/deleted/file'), 'x');
    await writeFile(join(directory, 'lower/one'), 'x');
    await writeFile(join(directory, 'lower/two'), 'x');
    const merged = join(directory, 'merged');
    const at = (name: string): string => `${name}dir=${join(directory, name)}`;
    const options = [at('lower'), at('upper'), at('work')].join(',');
    execFileSync('mount', ['-t', 'overlay', 'overlay', '-o', options, merged]);
    try {
      await rm(join(merged, 'replaced'), { recursive: true });
      await mkdir(join(merged, 'replaced'));
      await writeFile(join(merged, 'replaced/new'), 'y');
      await rm(join(merged, 'deleted'), { recursive: true });
      await rm(join(merged, 'one'));
      await rm(join(merged, 'two'));
    } finally {
      execFileSync('umount', [merged]);
    }
    const layer = await layerOf(join(directory, 'upper'));
    const lines = await read(createReadStream(layer));
    expect(lines.map(({ path, type }) => `${type} ${path}`).sort()).toEqual([
      '0 ./.wh.deleted',
      '0 ./.wh.one',
      '0 ./.wh.two',
      '0 ./replaced/.wh..wh..opq',
      '0 ./replaced/new',
      '5 ./',
      '5 ./replaced/',
    ]);
    expect(lines.flatMap(({ pax }) => pax).join()).not.toContain('overlay');
  });

  it('turns hard links to a whiteout into whiteouts', async () => {
    const layer = ociLayer(
      archive(
        entry('./first', '3'),
        entry('./dir/second', '1', {}, { linkName: './first' }),
        entry('./file', '0'),
        entry('./third', '1', {}, { linkName: './file' }),
      ),
      'rootfs',
    );
    expect((await read(layer)).map(({ path, type }) => `${type} ${path}`)).toEqual([
      '0 ./.wh.first',
      '0 ./dir/.wh.second',
      '0 ./file',
      '1 ./third',
    ]);
  });

  it('keeps attributes of any bytes, apart from the overlay’s own', async () => {
    const odd = {
      'SCHILY.xattr.user.a%3D\n': 'x\0\n=\xff',
      'SCHILY.xattr.security.capability': '\x01',
    };
    const own = { 'SCHILY.xattr.trusted.overlay.origin': 'x', atime: '1.5', ctime: '2' };
    const layer = ociLayer(archive(entry('./a', '0', { ...odd, ...own, mtime: '7.25' })), 'rootfs');
    expect(await read(layer)).toEqual([
      {
        path: './a',
        type: '0',
        pax: [...Object.entries(odd).map(([k, v]) => `${k}=${v}`), 'mtime=7.25'].sort(),
      },
    ]);
  });

  it('refuses, with its name, what a layer cannot say', async () => {
    const overlay = 'SCHILY.xattr.trusted.overlay.';
    const hopeless: readonly (readonly [Buffer, RegExp])[] = [
      [entry('./null', '3', {}, { device: 1 }), /"\.\/null".*character device \(1:1\)/],
      [entry('./disk', '4', {}, { device: 8 }), /"\.\/disk".*block device/],
      [entry('./a/.wh.b', '0'), /"\.\/a\/\.wh\.b".*deletions/],
      [entry('./moved/', '5', { [`${overlay}redirect`]: '/x' }), /"\.\/moved\/".*redirect/],
      [entry('./thin', '0', { [`${overlay}metacopy`]: '' }), /"\.\/thin".*metacopy/],
      [
        entry('long', '0', { path: `./${'d/'.repeat(2048)}x` }),
        /^"\.\/[d/]{198}\.\.\." .*its path has 4099 bytes/,
      ],
      [entry('../up', '0'), /leads out/],
      [entry('/etc/passwd', '0'), /leads out/],
    ];
    for (const [bad, message] of hopeless) {
      await expect(
        read(ociLayer(archive(entry('./ok', '0'), bad), 'rootfs')),
      ).rejects.toMatchObject({
        kind: 'terminal',
        reason: 'CheckpointFailed',
        message: expect.stringMatching(message),
      });
    }
  });

  it('knows no deletions in a volume', async () => {
    const plain = ociLayer(archive(entry('./.wh.a', '0')), 'volume');
    expect((await read(plain)).map(({ path }) => path)).toEqual(['./.wh.a']);
    const device = ociLayer(archive(entry('./zero', '3')), 'volume');
    await expect(read(device)).rejects.toMatchObject({ reason: 'CheckpointFailed' });
  });

  it('reports a tar that was cut anywhere', async () => {
    await writeFile(join(tree, 'file'), 'x'.repeat(3000));
    await writeFile(join(tree, 'n'.repeat(200)), 'y');
    tarDirectory(tree, join(directory, 'raw.tar'));
    const whole = execFileSync('cat', [join(directory, 'raw.tar')]);
    const end = whole.toString('latin1').replace(/\0*$/, '').length;
    for (let cut = 0; cut < end; cut += 97) {
      const part = (async function* () {
        yield whole.subarray(0, cut);
      })();
      await expect(read(ociLayer(part, 'rootfs')), `cut at ${cut}`).rejects.toMatchObject({
        reason: 'CheckpointFailed',
      });
    }
    expect(existsSync(tree)).toBe(true);
  });
});
