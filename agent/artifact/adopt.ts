import { Failure } from '../../core/failure.ts';
import type { Digest, ReferenceKey, SnapshotStore } from '../store/store.ts';
import { inParallel } from './bounded.ts';
import { blobsOf } from './manifest.ts';
import { mediaTypes } from './media-types.ts';
import { type PublishedArtifact, publishedArtifact } from './published.ts';
import { checkSize, findPublished, readDocuments } from './read.ts';

/**
 * Gives an artifact that is in the store a reference of its own under `key`, so that it stays for as long as the reference does, whatever
 * becomes of the one that it was stored under. Documents are verified, the other blobs looked for in their sizes, before and after.
 * `ArtifactLost` (gone) when the store said that there is no such artifact; `ArtifactCorrupt` for one that is not whole; `ContentConflict` when
 * another stands under the key. May be cut short and done again.
 */
export async function adoptArtifact(
  store: SnapshotStore,
  digest: Digest,
  key: ReferenceKey,
  signal: AbortSignal,
): Promise<PublishedArtifact> {
  const size = await store.statBlob(digest, signal);
  if (size === undefined) {
    const message = `the store ${store.traits.name} has no artifact ${digest}`;
    throw new Failure('gone', 'ArtifactLost', message);
  }
  const reference = { digest, size, mediaType: mediaTypes.manifest, fence: 0 };
  const { manifest, config } = await readDocuments(store, reference, signal);
  await inParallel(8, blobsOf(manifest), signal, (blob, _, stop) =>
    checkSize(store, blob.digest, blob.size, stop),
  );
  const isNew = await store.putReference(key, reference, signal);
  if (!isNew && (await store.getReference(key, signal))?.digest !== digest) {
    const message = `another artifact than ${digest} stands under ${key.namespace}/${key.contentUID}`;
    throw new Failure('terminal', 'ContentConflict', message);
  }
  // A sweep may have taken a blob before the reference named it.
  if ((await findPublished(store, key, signal))?.complete === true) {
    return publishedArtifact(digest, size, manifest, config);
  }
  // The blobs that are left were there before, and are not this call's to take.
  await store.deleteReference(key, async () => undefined, signal);
  throw new Failure('terminal', 'ArtifactCorrupt', `artifact ${digest} lost blobs to a sweep`);
}
