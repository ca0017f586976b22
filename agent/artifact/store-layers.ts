import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { Failure } from '../../core/failure.ts';
import type { DumpResult } from '../capture/backend.ts';
import { together } from './bounded.ts';
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

/** Stores everything a dump left in staging and returns its containers' entries of the config. `facts`: of the same containers. */
export async function storeLayers(
  dump: DumpResult,
  stagingDirectory: string,
  facts: ArtifactFacts['containers'],
  work: PublishWork,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<ArtifactContainer[]> {
  const staged = (path: string): string => resolve(stagingDirectory, path);
  const pairs = facts.map((fact) => {
    const dumped = dump.containers.find(({ name }) => name === fact.name);
    if (dumped !== undefined) return { fact, dumped };
    throw new Failure('terminal', 'CheckpointFailed', `container ${fact.name} was not dumped`);
  });
  const images = await Promise.all(
    pairs.map(({ dumped }) => listImages(staged(dumped.imagesDirectory))),
  );
  const tars = [
    ...dump.containers.map(({ rootfsTar }) => rootfsTar),
    ...dump.volumeTars.map(pathOf),
  ];
  const tarSizes = await Promise.all(tars.map(async (path) => (await stat(staged(path))).size));
  const imageSizes = images.flatMap(({ memory, small }) => [...memory, ...small].map(sizeOf));
  const bytesTotal = [...imageSizes, ...tarSizes].reduce((sum, size) => sum + size, 0);
  let seen = 0;
  const onBytes = (count: number): void => {
    seen += count;
    // A rewritten tar is not exactly as long as what it was made from.
    onProgress({ bytesDone: Math.min(seen, bytesTotal), bytesTotal });
  };

  const layer = (path: string, kind: LayerKind): AsyncIterable<Buffer> =>
    ociLayer(createReadStream(staged(path), { highWaterMark: 1 << 20 }), kind);

  const containers: ArtifactContainer[] = [];
  for (const [index, { fact, dumped }] of pairs.entries()) {
    const directory = staged(dumped.imagesDirectory);
    const { memory, small } = images[index] ?? { memory: [], small: [] };
    // Side by side: each waits for the disk again and again, and a small dump does little else.
    const [pages, criu, rootfs] = await together(signal, (stop) => [
      storeMemory(directory, memory, work, onBytes, stop),
      storeTar(`criu-${index}`, criuTar(directory, small), work, onBytes, stop),
      storeTar(`rootfs-${index}`, layer(dumped.rootfsTar, 'rootfs'), work, onBytes, stop),
    ]);
    containers.push({
      ...fact,
      frozenAt: dumped.frozenAt,
      freezeMilliseconds: dumped.freezeMilliseconds,
      criuVersion: dump.criuVersion,
      criuOptions: [...dumped.options],
      stdio: [...dumped.stdio],
      mounts: dumped.mounts.map((mount) => ({ ...mount })),
      memory: pages,
      ...{ criu, rootfs },
      volumes: [],
    });
  }
  for (const [index, { name, path }] of dump.volumeTars.entries()) {
    const tar = layer(path, 'volume');
    const volume = {
      name,
      ...(await storeTar(`volume-${index}`, tar, work, onBytes, signal)),
    };
    for (const container of containers) {
      const mounts = container.mounts.filter(({ treatment }) => treatment === 'volume');
      if (mounts.some((mount) => mount.volume === name)) container.volumes.push(volume);
    }
  }
  onProgress({ bytesDone: bytesTotal, bytesTotal });
  return containers;
}

const pathOf = ({ path }: { readonly path: string }): string => path;
const sizeOf = ({ sizeBytes }: { readonly sizeBytes: number }): number => sizeBytes;

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
