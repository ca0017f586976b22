import { createHash } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { zstdCompressSync, zstdDecompressSync } from 'node:zlib';
import type { ArtifactConfig } from '../../agent/artifact/config.ts';
import { manifestOf } from '../../agent/artifact/manifest.ts';
import { readArtifact, readBlob } from '../../agent/artifact/read.ts';
import { endOfArchive } from '../../agent/artifact/tar-header.ts';
import { readTar } from '../../agent/artifact/tar-reader.ts';
import { plainFile } from '../../agent/artifact/tar-writer.ts';
import { dirStore } from '../../agent/store/dir/dir-store.ts';
import type { Digest, ReferenceKey, SnapshotStore } from '../../agent/store/store.ts';
import type { Bed } from '../bed/bed.ts';

const signal = AbortSignal.timeout(600_000);

const storeDirectory = (bed: Bed): string =>
  join(bed.node(bed.nodes[0] ?? '').rootPath, 'var/lib/cryopod-store');

/** The store that the nodes of the bed share. */
export const storeOf = (bed: Bed): SnapshotStore => dirStore(storeDirectory(bed));

async function put(store: SnapshotStore, bytes: Buffer): Promise<Digest> {
  const digest: Digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
  await store.putBlob(digest, bytes.byteLength, bytes, signal);
  return digest;
}

/** An artifact like another one but for the edit, without a reference; returns its digest. */
export async function storeEdited(
  store: SnapshotStore,
  key: ReferenceKey,
  edit: (config: ArtifactConfig) => ArtifactConfig,
): Promise<string> {
  const config = edit((await readArtifact(store, key, signal)).config);
  const bytes = Buffer.from(JSON.stringify(config));
  const digest = await put(store, bytes);
  const manifest = manifestOf(config, { digest, size: bytes.byteLength });
  return put(store, Buffer.from(JSON.stringify(manifest)));
}

/** The first container of an artifact with some of CRIU's images changed, added or, as undefined, left out. */
export async function withImages(
  store: SnapshotStore,
  key: ReferenceKey,
  change: (name: string, image: Buffer) => Buffer | undefined,
  added: Readonly<Record<string, Buffer>>,
): Promise<ArtifactConfig['containers'][number]> {
  const [container] = (await readArtifact(store, key, signal)).config.containers;
  if (container === undefined) throw new Error('the artifact has no container');
  const { digest, storedBytes } = container.criu;
  const old = zstdDecompressSync(await readBlob(store, digest as Digest, storedBytes, signal));
  const images: (readonly [string, Buffer])[] = Object.entries(added);
  for await (const { path, body } of readTar(
    Readable.from([old]),
    (why) => new Error(why) as never,
  )) {
    const image = change(path, await buffer(body));
    if (image !== undefined) images.push([path, image]);
  }
  const blocks: Buffer[] = [];
  for (const [name, image] of images) {
    for await (const block of plainFile(name, 0o600, image.byteLength, Readable.from([image]))) {
      blocks.push(block);
    }
  }
  const tar = Buffer.concat([...blocks, endOfArchive]);
  const stored = zstdCompressSync(tar);
  const criu = {
    digest: await put(store, stored),
    sizeBytes: tar.byteLength,
    storedBytes: stored.byteLength,
  };
  return { ...container, criu };
}

/** Flips a bit of a blob where it lies. Again is the way back. */
export async function flipBit(bed: Bed, digest: string): Promise<void> {
  const path = join(storeDirectory(bed), 'blobs/sha256', digest.slice('sha256:'.length));
  const bytes = await readFile(path);
  const at = Math.floor(bytes.byteLength / 2);
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  await writeFile(path, bytes);
}
