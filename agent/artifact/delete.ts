import { isFailure } from '../../core/failure.ts';
import type { Digest, ManifestBlob, ReferenceKey, SnapshotStore } from '../store/store.ts';
import { type Deleted, discardUnnamed } from './discard-unnamed.ts';
import { blobsOf } from './manifest.ts';
import { listPublishWork } from './publish-work.ts';
import { readManifest } from './read.ts';

const nothing: Deleted = { freedBytes: 0, kept: undefined };

/**
 * Deletes the reference of a snapshot and then those of its blobs that no other reference names. One that is not there is fine; one that a crash
 * or a failure interrupted goes on. When another artifact of the store cannot be read, nobody knows what it needs: every blob stays, and `kept`
 * says so.
 */
export async function deleteArtifact(
  store: SnapshotStore,
  key: ReferenceKey,
  signal: AbortSignal,
): Promise<Deleted> {
  let deleted = nothing;
  const discard = async (manifest: ManifestBlob): Promise<void> => {
    deleted = await discardUnnamed(store, await blobsBelow(store, manifest, signal), signal);
  };
  await store.deleteReference(key, discard, signal);
  return deleted;
}

/** Takes back what a publish from this staging directory stored and never named. Call it before staging is dropped for good. */
export async function abandonPublish(
  store: SnapshotStore,
  stagingDirectory: string,
  signal: AbortSignal,
): Promise<Deleted> {
  const own = await listPublishWork(stagingDirectory);
  return own.size === 0 ? nothing : await discardUnnamed(store, own, signal);
}

/** The manifest last: an interrupted discard needs it again. What it named is for a sweep, where it cannot be read. */
async function blobsBelow(
  store: SnapshotStore,
  blob: ManifestBlob,
  signal: AbortSignal,
): Promise<ReadonlySet<Digest>> {
  try {
    const manifest = await readManifest(store, blob, signal);
    return new Set([...blobsOf(manifest).map(({ digest }) => digest), blob.digest]);
  } catch (error) {
    if (isFailure(error, 'terminal', 'gone')) return new Set([blob.digest]);
    throw error;
  }
}
