import { Failure, isFailure } from '../../core/failure.ts';
import type { DumpResult } from '../capture/backend.ts';
import { digestOf } from '../store/digest.ts';
import type { Digest, ReferenceKey, SnapshotStore } from '../store/store.ts';
import { together } from './bounded.ts';
import {
  type ArtifactConfig,
  type ArtifactFacts,
  formatVersion,
  parseConfig,
  volumesOf,
} from './config.ts';
import { abandonPublish } from './delete.ts';
import { packingFailure } from './local-failure.ts';
import { layersOf, manifestOf } from './manifest.ts';
import { mediaTypes } from './media-types.ts';
import { openPublishWork } from './publish-work.ts';
import { type PublishedArtifact, publishedArtifact } from './published.ts';
import { type OnProgress, storeLayers } from './store-layers.ts';

/** What to publish, and under which name. */
export type PublishRequest = {
  readonly store: SnapshotStore;
  readonly dump: DumpResult;
  readonly stagingDirectory: string;
  readonly facts: ArtifactFacts;
  readonly key: ReferenceKey;
  /** leaseTransitions of the lease this capture holds. */
  readonly fence: number;
  /** Awaited right before the reference; throws when the right to publish is lost. */
  readonly beforeReference: () => Promise<void>;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
};

/**
 * Packs a finished dump into the store: every blob, then the manifest, then the reference, each durable before the next; then looks whether all of
 * it is still there. The same request gives the same digest, so a publish that was interrupted anywhere is simply done again: what is stored is
 * found, not written. Errors: the store's own; `CheckpointFailed` for files that cannot be packed; `ContentConflict` when another artifact stands
 * under the key. On StorageFull the blobs written so far are given back, so that a full store does not stay full of halves.
 */
export async function publishArtifact(request: PublishRequest): Promise<PublishedArtifact> {
  try {
    return await publish(request);
  } catch (error) {
    const { store, stagingDirectory, signal } = request;
    signal.throwIfAborted();
    if (isFailure(error) && error.reason === 'StorageFull') {
      // Best effort: the full store is what the caller must hear of.
      await abandonPublish(store, stagingDirectory, signal).catch(() => undefined);
    }
    throw packingFailure(stagingDirectory, error);
  }
}

async function publish(request: PublishRequest): Promise<PublishedArtifact> {
  const { store, dump, stagingDirectory, facts, key, fence, signal } = request;
  await using work = await openPublishWork(store, stagingDirectory);
  const { containers, ...common } = facts;
  const packed = await storeLayers(
    dump,
    stagingDirectory,
    containers,
    work,
    request.onProgress,
    signal,
  );
  const config = parseConfig({
    formatVersion,
    ...common,
    containers: packed,
    freezeMilliseconds: dump.freezeMilliseconds,
    totals: totalsOf(packed),
  } satisfies ArtifactConfig);
  const configBlob = jsonBlob(config);
  const manifest = manifestOf(config, { digest: configBlob.digest, size: configBlob.size });
  const manifestBlob = jsonBlob(manifest);
  const { digest, size } = manifestBlob;
  await together(signal, (stop) =>
    [configBlob, manifestBlob].map((blob) =>
      work.put(blob.digest, blob.size, blob.bytes, async () => blob.bytes, stop),
    ),
  );

  signal.throwIfAborted();
  await request.beforeReference();
  const reference = { digest, size, mediaType: mediaTypes.manifest, fence };
  if (!(await store.putReference(key, reference, signal))) {
    const standing = await store.getReference(key, signal);
    if (standing?.digest !== digest) {
      throw new Failure(
        'conflict',
        'ContentConflict',
        `${key.namespace}/${key.contentUID} already names ${standing?.digest ?? 'another artifact'}, not ${digest}`,
      );
    }
  }
  await work.restoreMissing(signal);
  return publishedArtifact(digest, size, manifest, config);
}

function jsonBlob(value: unknown): {
  readonly bytes: Uint8Array;
  readonly digest: Digest;
  readonly size: number;
} {
  const bytes = Buffer.from(JSON.stringify(value));
  return { bytes, digest: digestOf(bytes), size: bytes.byteLength };
}

function totalsOf(containers: ArtifactConfig['containers']): ArtifactConfig['totals'] {
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
  const parts = containers.flatMap(({ criu, memory, rootfs }) => [criu, ...memory, rootfs]);
  return {
    sizeBytes: sum([...parts, ...volumesOf(containers).values()].map((part) => part.sizeBytes)),
    storedBytes: sum(layersOf(containers).map((layer) => layer.size)),
  };
}
