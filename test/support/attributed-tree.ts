import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  ftruncateSync,
  lutimesSync,
  openSync,
  writeSync,
} from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { endOfArchive, padding, tarHeaderBlock } from '../../agent/artifact/tar-header.ts';
import { paxBlocks } from '../../agent/artifact/tar-pax.ts';
import { readTar } from '../../agent/artifact/tar-reader.ts';
import { tarDirectory } from './fake-dump.ts';

/** One entry of a tree with everything a file system keeps of it. Names and attribute values are byte strings. */
export type AttributedEntry = {
  readonly kind: 'file' | 'directory' | 'link' | 'hard' | 'fifo' | 'whiteout';
  readonly name: string;
  /** Which of the directories before it holds it; the root where there are none yet. */
  readonly parent: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly seconds: number;
  readonly nanoseconds: number;
  readonly attributes: readonly (readonly [string, string])[];
  readonly opaque: boolean;
  readonly content: string;
  readonly hole: number;
};

const bytes = (most: number): fc.Arbitrary<string> =>
  fc
    .uint8Array({ minLength: 1, maxLength: most })
    .map((each) => Buffer.from(each).toString('latin1'));

const name = fc
  .oneof(
    bytes(20),
    bytes(250),
    fc.constantFrom('a\nb', ' ', '-rf', '\u00fc', 'x'.repeat(250), '=', '\\'),
  )
  .map((text) => Buffer.from(text, 'latin1').toString('latin1'))
  .filter(
    (text) => !/[/\0]/.test(text) && text !== '.' && text !== '..' && !text.startsWith('.wh.'),
  );

const entry: fc.Arbitrary<AttributedEntry> = fc.record({
  kind: fc.constantFrom(
    'file',
    'file',
    'directory',
    'directory',
    'link',
    'hard',
    'fifo',
    'whiteout',
  ),
  name,
  parent: fc.nat({ max: 50 }),
  mode: fc.integer({ min: 0, max: 0o7777 }),
  uid: fc.oneof(fc.constant(0), fc.nat({ max: 4_000_000_000 })),
  gid: fc.oneof(fc.constant(0), fc.nat({ max: 4_000_000_000 })),
  seconds: fc.integer({ min: 1, max: 1_700_000_000 }),
  nanoseconds: fc.nat({ max: 999_999_999 }),
  attributes: fc.uniqueArray(
    fc.tuple(
      fc.constantFrom(
        'user.a',
        'user.b c',
        'user.\u00fc',
        'user.e=f',
        'trusted.overlay.origin',
        'trusted.x',
      ),
      fc.oneof(fc.constant(''), bytes(60)),
    ),
    { maxLength: 3, selector: ([key]) => key },
  ),
  opaque: fc.boolean(),
  content: fc.oneof(bytes(5000), fc.constant('')),
  hole: fc.constantFrom(0, 0, 0, 70_000, 2_000_000),
});

/** Arbitrary trees; only root can make them. Names are unique within their directory. */
export const attributedTree: fc.Arbitrary<readonly AttributedEntry[]> = fc.array(entry, {
  maxLength: 12,
});

type Placed = AttributedEntry & { readonly path: string; readonly linkPath: string };

function place(tree: readonly AttributedEntry[]): readonly Placed[] {
  const directories = ['.'];
  const files: string[] = [];
  const taken = new Set<string>();
  return tree.flatMap((each) => {
    const path = `${directories[each.parent % directories.length]}/${each.name}`;
    const target = files[each.parent % Math.max(1, files.length)];
    if (taken.has(path) || path.length > 2000 || (each.kind === 'hard' && target === undefined))
      return [];
    taken.add(path);
    if (each.kind === 'directory') directories.push(path);
    if (each.kind === 'file') files.push(path);
    const linkPath =
      each.kind === 'hard' ? (target ?? '') : each.kind === 'link' ? `/${each.name}` : '';
    return [{ ...each, path, linkPath }];
  });
}

const typeOf = {
  file: '0',
  hard: '1',
  link: '2',
  whiteout: '3',
  directory: '5',
  fifo: '6',
} as const;

function blocksOf(each: Placed): Buffer {
  const content = Buffer.from(each.kind === 'file' ? each.content : '', 'latin1');
  const mayHaveAttributes = each.kind === 'file' || each.kind === 'directory';
  const attributes = mayHaveAttributes ? each.attributes : [];
  const opaque = each.kind === 'directory' && each.opaque;
  const records = new Map([
    ['path', each.path],
    ['mtime', `${each.seconds}.${String(each.nanoseconds).padStart(9, '0')}`],
    ['uid', String(each.uid)],
    ['gid', String(each.gid)],
    ...(each.linkPath === '' ? [] : [['linkpath', each.linkPath] as const]),
    ...[...attributes, ...(opaque ? [['trusted.overlay.opaque', 'y'] as const] : [])].map(
      // An equals sign in a key is written as GNU tar does.
      ([key, value]) =>
        [
          `SCHILY.xattr.${Buffer.from(key).toString('latin1').replaceAll('=', '%3D')}`,
          value,
        ] as const,
    ),
  ]);
  const header = tarHeaderBlock({
    ...{ name: 'entry', mode: each.mode, uid: 0, gid: 0, sizeBytes: content.byteLength },
    ...{ mtimeSeconds: 0, type: typeOf[each.kind], linkName: '', deviceMajor: 0, deviceMinor: 0 },
  });
  return Buffer.concat([paxBlocks(records), header, content, padding(content.byteLength)]);
}

const extractOptions = ['--xattrs', '--xattrs-include=*', '--numeric-owner', '-xpf'] as const;

/** Unpacks a tar with all it says, by GNU tar. */
export function untar(tar: string, directory: string): void {
  execFileSync('tar', [...extractOptions, tar, '-C', directory], {
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
  });
}

/** Makes the tree on disk. */
export async function makeAttributedTree(
  directory: string,
  tree: readonly AttributedEntry[],
): Promise<void> {
  const placed = place(tree);
  const tar = `${directory}.made.tar`;
  await writeFile(tar, Buffer.concat([...placed.map(blocksOf), endOfArchive]));
  untar(tar, directory);
  for (const each of placed) {
    if (each.kind !== 'file' || each.hole === 0) continue;
    const path = Buffer.concat([Buffer.from(directory), Buffer.from(`/${each.path}`, 'latin1')]);
    const descriptor = openSync(path, 'r+');
    ftruncateSync(descriptor, each.hole * 2);
    writeSync(descriptor, 'in the middle', each.hole);
    closeSync(descriptor);
    lutimesSync(path, each.seconds, each.seconds);
  }
}

const gone = (why: string): never => {
  throw new Error(why);
};

/**
 * Everything a file system keeps of a tree, one line an entry, as GNU tar reads it off the disk: path, type, mode, owner, times to the
 * nanosecond, links, attributes, holes, content. Which of two hard links is the first is a matter of order in the directory, so links show as the set they form.
 */
export async function everyAttribute(directory: string): Promise<readonly string[]> {
  const tar = join(directory, `../${createHash('sha256').update(directory).digest('hex')}.tar`);
  execFileSync('rm', ['-f', tar]);
  tarDirectory(directory, tar);
  const lines = new Map<string, unknown[]>();
  const groups = new Map<string, string[]>();
  for await (const { path, header, pax, linkPath, body } of readTar(createReadStream(tar), gone)) {
    if (path === './') continue;
    if (header.type === '1') {
      groups.set(linkPath, [...(groups.get(linkPath) ?? [linkPath]), path]);
      continue;
    }
    const hash = createHash('sha256');
    for await (const piece of body) hash.update(piece);
    const own = [...pax]
      .filter(([key]) => !['atime', 'ctime', 'path', 'size'].includes(key))
      .sort();
    const { mode, uid, gid, mtimeSeconds, type } = header;
    lines.set(path, [type, mode, uid, gid, mtimeSeconds, linkPath, own, hash.digest('hex')]);
  }
  for (const [first, paths] of groups) {
    const line = lines.get(first) ?? [];
    for (const path of paths) lines.set(path, [...line, ...[...paths].sort()]);
  }
  return [...lines].map(([path, line]) => JSON.stringify([path, ...line])).sort();
}
