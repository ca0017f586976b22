import { Failure, isFailure } from '../../core/failure.ts';
import { corruptBlob } from '../store/digest.ts';
import type {
  Digest,
  ManifestBlob,
  Reference,
  ReferenceKey,
  SnapshotStore,
} from '../store/store.ts';
import { inParallel } from './bounded.ts';
import { type ArtifactConfig, corruptArtifact, parseConfig } from './config.ts';
import { blobsOf, checkLayers, type Manifest, parseManifest } from './manifest.ts';
import { mediaTypes } from './media-types.ts';
import { type PublishedArtifact, publishedArtifact } from './published.ts';

/** Longest manifest or config that is read: enough for half a terabyte of memory. */
const longestDocumentBytes = 64 * 2 ** 20;

/** Where blobs are read from: a store, or an archive that is in none. */
export type BlobSource = Pick<SnapshotStore, 'getBlob' | 'statBlob'>;

/** What is known of an artifact before any of its layers is read. */
export type Artifact = {
  readonly reference: Reference;
  readonly manifest: Manifest;
  readonly config: ArtifactConfig;
};

/**
 * Reads the documents of an artifact as if an enemy had written them: bounded, verified, parsed, and in agreement with each other.
 * `ArtifactLost` (gone) when there is no reference; `ArtifactCorrupt` for everything that is not as it must be, a missing blob included.
 */
export async function readArtifact(
  store: SnapshotStore,
  key: ReferenceKey,
  signal: AbortSignal,
): Promise<Artifact> {
  const reference = await store.getReference(key, signal);
  if (reference === undefined) {
    throw new Failure(
      'gone',
      'ArtifactLost',
      `the store has no snapshot ${key.namespace}/${key.contentUID}`,
    );
  }
  return await readDocuments(store, reference, signal);
}

/** The same for a reference that need not stand in the store. */
export async function readDocuments(
  store: BlobSource,
  reference: Reference,
  signal: AbortSignal,
): Promise<Artifact> {
  const manifest = await readManifest(store, reference, signal);
  const config = await readConfig(store, manifest, signal);
  return { reference, manifest, config };
}

/** The config that a manifest names, verified, parsed, and in agreement with it. */
export async function readConfig(
  store: BlobSource,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<ArtifactConfig> {
  const { digest, size } = manifest.config;
  const config = parseConfig(await readJSON(store, digest, size, signal));
  checkLayers(manifest, config);
  return config;
}

/** The manifest a reference names, verified and parsed. */
export async function readManifest(
  store: BlobSource,
  reference: ManifestBlob,
  signal: AbortSignal,
): Promise<Manifest> {
  if (reference.mediaType !== mediaTypes.manifest) {
    throw corruptArtifact(`its reference names the unknown type ${reference.mediaType}`);
  }
  return parseManifest(await readJSON(store, reference.digest, reference.size, signal));
}

async function readJSON(
  store: BlobSource,
  digest: Digest,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<unknown> {
  if (sizeBytes > longestDocumentBytes)
    throw corruptBlob(digest, `${sizeBytes} bytes are too many`);
  const bytes = await readBlob(store, digest, sizeBytes, signal);
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    throw corruptBlob(digest, 'it is not JSON');
  }
}

/** A whole blob in memory, verified; its size is checked before a byte is read. A missing one is ArtifactCorrupt: something names it. */
export async function readBlob(
  store: BlobSource,
  digest: Digest,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<Buffer> {
  await checkSize(store, digest, sizeBytes, signal);
  const bytes = Buffer.allocUnsafeSlow(sizeBytes);
  let filled = 0;
  const pieces: AsyncIterable<Uint8Array> = await store.getBlob(digest, undefined, signal);
  for await (const piece of pieces) {
    if (filled + piece.byteLength > sizeBytes)
      throw corruptBlob(digest, 'it grew while it was read');
    bytes.set(piece, filled);
    filled += piece.byteLength;
  }
  if (filled !== sizeBytes) throw corruptBlob(digest, `${filled} bytes instead of ${sizeBytes}`);
  return bytes;
}

/** Throws ArtifactCorrupt unless the store has the blob in the size announced. */
export async function checkSize(
  store: BlobSource,
  digest: Digest,
  sizeBytes: number,
  signal: AbortSignal,
): Promise<void> {
  const found = await store.statBlob(digest, signal);
  if (found === undefined) throw corruptBlob(digest, 'it is missing');
  if (found !== sizeBytes) throw corruptBlob(digest, `${found} bytes instead of ${sizeBytes}`);
}

/** What a reference found after a restart stands for. */
export type Found =
  | { readonly complete: true; readonly reference: Reference; readonly artifact: PublishedArtifact }
  | { readonly complete: false; readonly reference: Reference; readonly why: string };

/**
 * The artifact whose reference stands, or undefined when the store said that there is none. Complete: every blob is there in its size, so it can be
 * reported Ready. Incomplete: its publisher died before it had looked; publish again from staging, or delete it.
 */
export async function findPublished(
  store: SnapshotStore,
  key: ReferenceKey,
  signal: AbortSignal,
): Promise<Found | undefined> {
  const reference = await store.getReference(key, signal);
  if (reference === undefined) return undefined;
  try {
    const { manifest, config } = await readArtifact(store, key, signal);
    await inParallel(8, blobsOf(manifest), signal, ({ digest, size }, _, stop) =>
      checkSize(store, digest, size, stop),
    );
    const artifact = publishedArtifact(reference.digest, reference.size, manifest, config);
    return { complete: true, reference, artifact };
  } catch (error) {
    if (!isFailure(error, 'terminal', 'gone')) throw error;
    return { complete: false, reference, why: error.message };
  }
}
