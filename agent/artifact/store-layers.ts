import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { DumpResult } from '../capture/backend.ts';
import type { ArtifactContainer, ArtifactFacts, TarBlob } from './config.ts';
import { criuTar, listImages } from './criu-layer.ts';
import { writeLayerFile } from './layer-file.ts';
import { type LayerKind, ociLayer } from './oci-layer.ts';
import type { PublishWork } from './publish-work.ts';
import { storeMemory } from './store-memory.ts';

/** Hears of raw bytes that were dealt with, and how many there are in all. */
export type OnProgress = (progress: {
  readonly bytesDone: number;
  readonly bytesTotal: number;
}) => void;

/** Stores everything a dump left in staging and returns its entry of the config. */
export async function storeLayers(
  dump: DumpResult,
  stagingDirectory: string,
  container: ArtifactFacts['container'],
  work: PublishWork,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<ArtifactContainer> {
  const staged = (path: string): string => resolve(stagingDirectory, path);
  const images = staged(dump.imagesDirectory);
  const { memory, small } = await listImages(images);
  const tars = [dump.rootfsTar, ...dump.volumeTars.map((volume) => volume.path)].map(staged);
  const tarSizes = await Promise.all(tars.map(async (path) => (await stat(path)).size));
  const sizes = [...memory, ...small].map((file) => file.sizeBytes);
  const bytesTotal = [...sizes, ...tarSizes].reduce((sum, size) => sum + size, 0);
  let seen = 0;
  const onBytes = (count: number): void => {
    seen += count;
    // A rewritten tar is not exactly as long as what it was made from.
    onProgress({ bytesDone: Math.min(seen, bytesTotal), bytesTotal });
  };

  const pack = (name: string, tar: AsyncIterable<Buffer>): Promise<TarBlob> =>
    storeTar(name, tar, work, onBytes, signal);
  const files = (name: string, path: string, kind: LayerKind): Promise<TarBlob> =>
    pack(name, ociLayer(createReadStream(path, { highWaterMark: 1 << 20 }), kind));

  const memoryFiles = await storeMemory(images, memory, work, onBytes, signal);
  const criu = await pack('criu', criuTar(images, small));
  const rootfs = await files('rootfs', staged(dump.rootfsTar), 'rootfs');
  const volumes: ArtifactContainer['volumes'] = [];
  for (const [index, { name, path }] of dump.volumeTars.entries()) {
    volumes.push({ name, ...(await files(`volume-${index}`, staged(path), 'volume')) });
  }
  onProgress({ bytesDone: bytesTotal, bytesTotal });
  return {
    ...container,
    frozenAt: dump.frozenAt,
    freezeMilliseconds: dump.freezeMilliseconds,
    criuVersion: dump.criuVersion,
    criuOptions: [...dump.options],
    stdio: [...dump.stdio],
    mounts: dump.mounts.map((mount) => ({ ...mount })),
    criu,
    memory: memoryFiles,
    rootfs,
    volumes,
  };
}

async function storeTar(
  name: string,
  tar: AsyncIterable<Buffer>,
  work: PublishWork,
  onBytes: (count: number) => void,
  signal: AbortSignal,
): Promise<TarBlob> {
  const path = await work.layerFile(`${name}.tar.zst`);
  const blob = await writeLayerFile(path, tar, onBytes, signal);
  const read = () => createReadStream(path, { highWaterMark: 1 << 20 });
  await work.put(blob.digest, blob.storedBytes, read(), async () => read(), signal);
  return blob;
}
