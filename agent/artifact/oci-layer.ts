import { Failure } from '../../core/failure.ts';
import { endOfArchive, padding, renamedBlock } from './tar-header.ts';
import { type PaxRecords, paxBlocks } from './tar-pax.ts';
import { readTar, type TarEntry } from './tar-reader.ts';
import { plainHeader } from './tar-writer.ts';

/** What a tar was taken of: an overlay's upper directory, where some entries mean deletions, or a plain directory, where none does. */
export type LayerKind = 'rootfs' | 'volume';

const whiteoutPrefix = '.wh.';
const opaqueMark = '.wh..wh..opq';
const overlayAttribute = 'SCHILY.xattr.trusted.overlay.';
/** Times of reading and of attribute changes are not part of a file's content, and would make every capture different. */
const droppedKeys: ReadonlySet<string> = new Set(['atime', 'ctime']);

const refused = (path: string, why: string): Failure =>
  new Failure(
    'terminal',
    'CheckpointFailed',
    `${JSON.stringify(Buffer.from(path, 'latin1').toString())} cannot be captured: ${why}`,
  );

/** PATH_MAX without its zero: what unpacks a layer opens files by their whole paths. */
const longestPath = 4095;

const damagedTar = (why: string): Failure =>
  new Failure('terminal', 'CheckpointFailed', `the tar of captured files is damaged: ${why}`);

/**
 * Rewrites a stream of GNU tar (`--format=posix --xattrs --sparse`) into an OCI layer, entry by entry: overlay whiteouts and opaque directories
 * become `.wh.` files, the overlay's own attributes go, everything else (hard links, owners, times, other attributes, sparse maps, names of any
 * bytes) stays. Throws CheckpointFailed, naming the path, for what a layer cannot say.
 */
export async function* ociLayer(
  tar: AsyncIterable<Uint8Array>,
  kind: LayerKind,
): AsyncGenerator<Buffer> {
  // An overlay may make one inode for all its whiteouts: hard links to one are whiteouts too.
  const whiteouts = new Set<string>();
  for await (const entry of readTar(tar, damagedTar)) {
    checkPath(entry.path);
    if (kind === 'rootfs' && isWhiteout(entry, whiteouts)) {
      whiteouts.add(entry.path);
      yield plainHeader(whiteoutPath(entry.path), '0', 0o600, 0);
      continue;
    }
    checkEntry(entry, kind);
    yield paxBlocks(keptRecords(entry.pax));
    yield entry.pax.has('GNU.sparse.name')
      ? // GNU tar puts its process number there.
        renamedBlock(entry.block, 'GNUSparseFile.0/entry')
      : entry.block;
    yield* entry.body;
    yield padding(entry.storedBytes);
    if (kind === 'rootfs' && entry.pax.get(`${overlayAttribute}opaque`) === 'y') {
      yield plainHeader(`${entry.path.replace(/\/*$/, '/')}${opaqueMark}`, '0', 0o600, 0);
    }
  }
  yield endOfArchive;
}

function isWhiteout({ header, pax, linkPath }: TarEntry, known: ReadonlySet<string>): boolean {
  if (header.type === '3') return header.deviceMajor === 0 && header.deviceMinor === 0;
  if (header.type === '1') return known.has(linkPath);
  return header.type === '0' && pax.has(`${overlayAttribute}whiteout`);
}

function whiteoutPath(path: string): string {
  const slash = path.lastIndexOf('/') + 1;
  return `${path.slice(0, slash)}${whiteoutPrefix}${path.slice(slash)}`;
}

function checkPath(path: string): void {
  if (path === '' || path.startsWith('/') || path.split('/').includes('..')) {
    throw refused(path, 'its path leads out of the captured directory');
  }
  if (path.length > longestPath) {
    throw refused(
      `${path.slice(0, 200)}...`,
      `its path has ${path.length} bytes, over ${longestPath} nobody can open it by its name`,
    );
  }
}

function checkEntry({ header, pax, path }: TarEntry, kind: LayerKind): void {
  if (header.type === '3' || header.type === '4') {
    const what = header.type === '3' ? 'character' : 'block';
    throw refused(path, `it is a ${what} device (${header.deviceMajor}:${header.deviceMinor})`);
  }
  if (kind === 'volume') return;
  const name = path.replace(/\/*$/, '').split('/').at(-1) ?? '';
  if (name.startsWith(whiteoutPrefix)) {
    throw refused(path, `names that begin with ${whiteoutPrefix} mean deletions in an OCI layer`);
  }
  for (const attribute of ['redirect', 'metacopy']) {
    if (pax.has(overlayAttribute + attribute)) {
      throw refused(path, `the overlay keeps part of it elsewhere (${attribute})`);
    }
  }
}

function keptRecords(pax: PaxRecords): PaxRecords {
  return new Map(
    [...pax].filter(([key]) => !droppedKeys.has(key) && !key.startsWith(overlayAttribute)),
  );
}
