import { randomUUID } from 'node:crypto';
import { type FileHandle, mkdir, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import type { ReferenceKey, SnapshotStore } from '../store/store.ts';
import { inParallel } from './bounded.ts';
import { decodeChunk } from './chunk.ts';
import {
  type ArtifactConfig,
  type ArtifactContainer,
  type MemoryFile,
  type TarBlob,
  volumesOf,
} from './config.ts';
import { unpackCriuTar } from './criu-layer.ts';
import { packingFailure } from './local-failure.ts';
import { readArtifact, readBlob } from './read.ts';
import { readTarBlob } from './read-tar-blob.ts';

/**
 * Rebuilds what a dump left, in a directory that must not exist yet (its parent must): `containers/<name>/images/` as CRIU reads them,
 * `containers/<name>/rootfs.tar` and `volumes/<name>.tar` as OCI layer tars. Everything is verified on the way, and the directory appears only once it is whole. `onBytes` hears of every piece written. Errors as readArtifact's.
 */
export async function extractArtifact(
  store: SnapshotStore,
  key: ReferenceKey,
  directory: string,
  signal: AbortSignal,
  onBytes: (bytes: number) => void = () => undefined,
): Promise<ArtifactConfig> {
  const { config } = await readArtifact(store, key, signal);
  const partial = join(dirname(directory), `.${basename(directory)}.${randomUUID()}`);
  await mkdir(partial, { mode: 0o700 });
  try {
    await mkdir(join(partial, 'containers'), { mode: 0o700 });
    for (const container of config.containers) {
      const target = join(partial, 'containers', container.name);
      await mkdir(target, { mode: 0o700 });
      await extractContainer(store, container, target, signal, onBytes);
    }
    await mkdir(join(partial, 'volumes'), { mode: 0o700 });
    for (const volume of volumesOf(config.containers).values()) {
      const path = join(partial, 'volumes', `${volume.name}.tar`);
      await extractTar(store, volume, path, signal, onBytes);
    }
    await rename(partial, directory);
  } catch (error) {
    await rm(partial, { recursive: true, force: true });
    signal.throwIfAborted();
    throw packingFailure(partial, error);
  }
  return config;
}

async function extractContainer(
  store: SnapshotStore,
  container: ArtifactContainer,
  directory: string,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<void> {
  const images = join(directory, 'images');
  await mkdir(images, { mode: 0o700 });
  for (const file of container.memory) {
    await extractMemory(store, file, join(images, file.file), signal, onBytes);
  }
  await readTarBlob(store, container.criu, signal, (tar) =>
    unpackCriuTar(tar, (name) => newFile(join(images, name))),
  );
  await extractTar(store, container.rootfs, join(directory, 'rootfs.tar'), signal, onBytes);
}

const extractTar = (
  store: SnapshotStore,
  blob: TarBlob,
  path: string,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<void> =>
  readTarBlob(store, blob, signal, async (tar) => {
    await using file = await newFile(path);
    for await (const piece of tar) {
      await file.writeFile(piece);
      onBytes(piece.byteLength);
    }
  });

const newFile = (path: string): Promise<FileHandle> => open(path, 'wx', 0o600);

/** Chunks of zeros stay holes. */
async function extractMemory(
  store: SnapshotStore,
  memory: MemoryFile,
  path: string,
  signal: AbortSignal,
  onBytes: (bytes: number) => void,
): Promise<void> {
  await using file = await newFile(path);
  await file.truncate(memory.sizeBytes);
  await inParallel(4, memory.chunks.entries(), signal, async ([index, chunk], _, stop) => {
    if (chunk.encoding === 'zero') return onBytes(chunk.sizeBytes);
    const stored = await readBlob(store, chunk.digest, chunk.storedBytes, stop);
    const raw = await decodeChunk(chunk, chunk.digest, stored);
    let written = 0;
    while (written < raw.byteLength) {
      const at = index * memory.chunkBytes + written;
      written += (await file.write(raw, written, raw.byteLength - written, at)).bytesWritten;
    }
    onBytes(raw.byteLength);
  });
}
