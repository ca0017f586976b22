import { createHash, hash } from 'node:crypto';
import { corruptArtifact, type TarBlob } from './config.ts';
import type { BlobSource } from './read.ts';
import { readTarBlob } from './read-tar-blob.ts';
import { readTar, type TarEntry } from './tar-reader.ts';

/** Of one layer, kept in memory: entries, and characters of all their names. */
const mostEntries = 1_000_000;
const mostNameCharacters = 256 * 2 ** 20;

/** `deleted`: the layer hides a file of the image. `opaque`: it hides all that the image has in this directory. */
export const layerEntryTypes = [
  'file',
  'hard link',
  'symlink',
  'character device',
  'block device',
  'directory',
  'fifo',
  'deleted',
  'opaque',
] as const;
export type LayerEntryType = (typeof layerEntryTypes)[number];

/** What a layer says of a path. `digest`: of a file's stored bytes, holes left out. */
export type LayerEntry = {
  readonly type: LayerEntryType;
  readonly sizeBytes: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly modifiedAt: string;
  readonly linkPath: string;
  readonly digest: string;
  /** Digest of its extended attributes; empty where there are none. */
  readonly attributes: string;
};

/** Every path of a layer, without the slash of directories. A volume has no deletions. Reads and hashes the whole layer. */
export async function layerIndex(
  store: BlobSource,
  blob: TarBlob,
  kind: 'rootfs' | 'volume',
  signal: AbortSignal,
): Promise<ReadonlyMap<string, LayerEntry>> {
  const index = new Map<string, LayerEntry>();
  const damaged = (why: string) => corruptArtifact(`layer ${blob.digest}: ${why}`);
  let nameCharacters = 0;
  await readTarBlob(store, blob, signal, async (tar) => {
    for await (const entry of readTar(tar, damaged)) {
      const [path, type] = placeOf(entry, kind);
      nameCharacters += entry.path.length + entry.linkPath.length;
      if (index.size === mostEntries || nameCharacters > mostNameCharacters) {
        throw damaged('it has too many entries, or too long names');
      }
      index.set(path, await describe(entry, type));
    }
  });
  return index;
}

/** Names are bytes; most are UTF-8. */
const textOf = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');

const opaqueMark = '.wh..wh..opq';
const whiteoutPrefix = '.wh.';

function placeOf(entry: TarEntry, kind: 'rootfs' | 'volume'): readonly [string, LayerEntryType] {
  const path = textOf(entry.path)
    .replace(/^(\.\/)+/, '')
    .replace(/\/+$/, '');
  const slash = path.lastIndexOf('/') + 1;
  const [folder, name] = [path.slice(0, slash), path.slice(slash)];
  if (kind === 'rootfs' && name === opaqueMark) return [`${folder}*`, 'opaque'];
  if (kind === 'rootfs' && name.startsWith(whiteoutPrefix)) {
    return [folder + name.slice(whiteoutPrefix.length), 'deleted'];
  }
  return [path === '' ? '.' : path, layerEntryTypes[Number(entry.header.type)] ?? 'file'];
}

async function describe(entry: TarEntry, type: LayerEntryType): Promise<LayerEntry> {
  const { header, pax } = entry;
  const hasher = createHash('sha256');
  for await (const piece of entry.body) hasher.update(piece);
  return {
    type,
    sizeBytes: Number(pax.get('GNU.sparse.realsize') ?? entry.storedBytes),
    mode: header.mode,
    uid: Number(pax.get('uid') ?? header.uid),
    gid: Number(pax.get('gid') ?? header.gid),
    modifiedAt: pax.get('mtime') ?? String(header.mtimeSeconds),
    linkPath: textOf(entry.linkPath),
    digest: type === 'file' ? `sha256:${hasher.digest('hex')}` : '',
    attributes: attributesDigest(pax),
  };
}

function attributesDigest(pax: TarEntry['pax']): string {
  const attributes = [...pax].filter(([key]) => key.startsWith('SCHILY.xattr.')).toSorted();
  return attributes.length === 0 ? '' : hash('sha256', JSON.stringify(attributes));
}
