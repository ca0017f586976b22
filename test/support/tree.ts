import { execFileSync } from 'node:child_process';
import { hash } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';

/** A made-up entry of a directory tree. Names are byte strings (latin1), unique within a directory. */
export type Node =
  | { readonly kind: 'file'; readonly text: string; readonly hole: number; readonly mode: number }
  | { readonly kind: 'link'; readonly target: string }
  | { readonly kind: 'hard' }
  | { readonly kind: 'fifo' }
  | { readonly kind: 'whiteout' }
  | { readonly kind: 'directory'; readonly entries: Tree };
export type Tree = readonly { readonly name: string; readonly node: Node }[];

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const below = (directory: Buffer, name: string): Buffer =>
  Buffer.concat([directory, bytes('/'), bytes(name)]);

const name = fc
  .oneof(
    { weight: 3, arbitrary: fc.string({ minLength: 1, maxLength: 12 }) },
    fc.uint8Array({ minLength: 1, maxLength: 255 }).map((b) => Buffer.from(b).toString('latin1')),
    fc.constantFrom('a\nb', 'ünicode', 'x'.repeat(255), ' ', '-rf', '%s', '.wha', 'PaxHeaders'),
  )
  .map((text) => Buffer.from(text).toString('latin1'))
  .filter((text) => text.length <= 255 && !/[/\0]/.test(text))
  .filter((text) => text !== '.' && text !== '..' && !text.startsWith('.wh.'));

const file = fc.record({
  kind: fc.constant('file' as const),
  text: fc.string({ maxLength: 2000 }),
  hole: fc.constantFrom(0, 0, 0, 70_000, 3_000_000),
  mode: fc.constantFrom(0o600, 0o644, 0o755, 0o4755, 0o000),
});

/** Arbitrary trees; `whiteouts`: with 0/0 character devices among the entries, which only root can make. */
export function arbitraryTree(whiteouts: boolean): fc.Arbitrary<Tree> {
  const tree = fc.letrec<{ tree: Tree; node: Node }>((tie) => ({
    node: fc.oneof(
      { weight: 4, arbitrary: file },
      fc.record({
        kind: fc.constant('link' as const),
        target: fc
          .string({ minLength: 1, maxLength: 300, unit: 'binary' })
          .filter((text) => !text.includes('\0')),
      }),
      fc.constant({ kind: 'hard' as const }),
      fc.constant({ kind: 'fifo' as const }),
      ...(whiteouts ? [fc.constant({ kind: 'whiteout' as const })] : []),
      fc.record({ kind: fc.constant('directory' as const), entries: tie('tree') }),
    ),
    tree: fc.uniqueArray(fc.record({ name, node: tie('node') }), {
      maxLength: 5,
      selector: (entry) => entry.name,
    }),
  }));
  return tree.tree;
}

/** Makes the tree on disk. A hard link leads to the first file made, or is left out where there is none yet. */
export function makeTree(directory: Buffer, tree: Tree, state: { first?: Buffer } = {}): void {
  for (const entry of tree) {
    const path = below(directory, entry.name);
    makeNode(path, entry.node, state);
  }
}

function makeNode(path: Buffer, node: Node, state: { first?: Buffer }): void {
  if (node.kind === 'file') {
    const descriptor = openSync(path, 'wx');
    writeSync(descriptor, node.text);
    if (node.hole > 0) {
      ftruncateSync(descriptor, node.hole);
      writeSync(descriptor, node.text, node.hole);
      ftruncateSync(descriptor, node.hole * 2);
    }
    closeSync(descriptor);
    chmodSync(path, node.mode);
    utimesSync(path, 1_600_000_000, 1_500_000_000.25);
    state.first ??= path;
  } else if (node.kind === 'link') symlinkSync(node.target, path);
  else if (node.kind === 'hard') {
    if (state.first !== undefined) linkSync(state.first, path);
  } else if (node.kind === 'directory') {
    mkdirSync(path);
    makeTree(path, node.entries, state);
  } else {
    // A program's arguments are UTF-8 to Node, names are not: made under a plain one.
    const plain = '.wh.plain';
    const cwd = path.subarray(0, path.lastIndexOf(0x2f)).toString('latin1');
    if (!isPlain(cwd)) return;
    // The mark of a deletion is four bytes longer than what was deleted, and is not extracted as a file by those who know it.
    if (node.kind === 'whiteout' && path.byteLength - cwd.length > 252) return;
    if (node.kind === 'fifo') execFileSync('mkfifo', [plain], { cwd });
    else execFileSync('mknod', [plain, 'c', '0', '0'], { cwd });
    renameSync(join(cwd, plain), path);
  }
}

/** Working directories are strings too: specials are made where the path has only printable ASCII. */
const isPlain = (path: string): boolean => /^[ -~]+$/.test(path);

/** What a tree looks like: one line an entry, sorted, names and contents as bytes. Hard links show as equal inode labels. */
export function describeTree(directory: Buffer): readonly string[] {
  const inodes = new Map<bigint, number>();
  const lines: string[] = [];
  const walk = (at: Buffer, prefix: string): void => {
    const names = readdirSync(at, { encoding: 'buffer' }).map((each) => each.toString('latin1'));
    for (const each of names.sort()) {
      const path = below(at, each);
      const stat = lstatSync(path, { bigint: true });
      const type = Number(stat.mode & 0o170000n).toString(8);
      const mode = stat.isSymbolicLink() ? '' : Number(stat.mode & 0o7777n).toString(8);
      const time = stat.isDirectory() || stat.isSymbolicLink() ? '' : `${stat.mtimeNs}`;
      let label = '';
      if (stat.isFile() && stat.nlink > 1n) {
        const known = inodes.get(stat.ino) ?? inodes.size;
        inodes.set(stat.ino, known);
        label = `inode ${known}`;
      }
      const content = stat.isFile()
        ? hash('sha256', readFileSync(path))
        : stat.isSymbolicLink()
          ? readlinkSync(path, { encoding: 'buffer' }).toString('latin1')
          : '';
      const device = stat.isCharacterDevice() ? `${stat.rdev}` : '';
      const owner = `${stat.uid}:${stat.gid}`;
      lines.push(JSON.stringify([prefix + each, type, mode, owner, time, label, device, content]));
      if (stat.isDirectory()) walk(path, `${prefix}${each}/`);
    }
  };
  walk(directory, '');
  return lines;
}
