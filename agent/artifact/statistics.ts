import { isFailure } from '../../core/failure.ts';
import type { Digest, ReferenceKey, SnapshotStore } from '../store/store.ts';
import type { ArtifactConfig, ArtifactContainer, Chunk } from './config.ts';
import { blobsOf } from './manifest.ts';
import { type Artifact, readManifest } from './read.ts';

/** What kind of bytes a layer holds. */
export const layerTypes = ['criu', 'memory', 'rootfs', 'volume'] as const;
export type LayerType = (typeof layerTypes)[number];

/**
 * Layers of one type of one container. `sizeBytes`: before compression; of these `zeroBytes` are zeros, only recorded, and `repeatedBytes` stand
 * elsewhere in the artifact already. `storedBytes`: of the blobs that occur here first.
 */
export type LayerStatistics = {
  readonly container: string;
  readonly type: LayerType;
  readonly pieces: number;
  readonly sizeBytes: number;
  readonly zeroBytes: number;
  readonly repeatedBytes: number;
  readonly storedBytes: number;
};

/** What each sort of layer of an artifact costs, in the order of the config. A volume of several containers is the first one's. */
export function layerStatistics(config: ArtifactConfig): readonly LayerStatistics[] {
  const seen = new Set<Digest>();
  const volumes = new Set<string>();
  return config.containers.flatMap((container) => {
    const own = container.volumes.filter(({ name }) => !volumes.has(name));
    for (const { name } of own) volumes.add(name);
    return layerTypes.flatMap((type) => {
      const pieces = piecesOf({ ...container, volumes: own }, type);
      if (pieces.length === 0) return [];
      return [{ container: container.name, type, ...summed(pieces, seen) }];
    });
  });
}

type Piece = Chunk | ({ readonly encoding: 'tar'; readonly digest: Digest } & PieceSizes);
type PieceSizes = { readonly sizeBytes: number; readonly storedBytes: number };

function piecesOf(container: ArtifactContainer, type: LayerType): readonly Piece[] {
  if (type === 'memory') return container.memory.flatMap((file) => file.chunks);
  const blobs = {
    criu: [container.criu],
    rootfs: [container.rootfs],
    volume: container.volumes,
  }[type];
  return blobs.map((blob) => ({ encoding: 'tar', ...blob }));
}

function summed(
  pieces: readonly Piece[],
  seen: Set<Digest>,
): Omit<LayerStatistics, 'container' | 'type'> {
  let [sizeBytes, zeroBytes, repeatedBytes, storedBytes] = [0, 0, 0, 0];
  for (const piece of pieces) {
    sizeBytes += piece.sizeBytes;
    if (piece.encoding === 'zero') {
      zeroBytes += piece.sizeBytes;
    } else if (seen.has(piece.digest)) {
      repeatedBytes += piece.sizeBytes;
    } else {
      seen.add(piece.digest);
      storedBytes += piece.storedBytes;
    }
  }
  return { pieces: pieces.length, sizeBytes, zeroBytes, repeatedBytes, storedBytes };
}

/** Stored bytes of an artifact that others of the store name too: its deletion would free all but these. Undefined when another cannot be read. */
export async function sharedBytes(
  store: SnapshotStore,
  key: ReferenceKey,
  artifact: Artifact,
  signal: AbortSignal,
): Promise<number | undefined> {
  const own = new Map(blobsOf(artifact.manifest).map(({ digest, size }) => [digest, size]));
  let shared = 0;
  try {
    for await (const other of store.listReferences(signal)) {
      const { namespace, contentUID } = other.key;
      if (namespace === key.namespace && contentUID === key.contentUID) continue;
      const manifest = await readManifest(store, other.reference, signal);
      for (const { digest } of blobsOf(manifest)) {
        shared += own.get(digest) ?? 0;
        own.delete(digest);
      }
    }
    return shared;
  } catch (error) {
    if (isFailure(error, 'terminal', 'gone')) return undefined;
    throw error;
  }
}
