import { isFailure } from '../../core/failure.ts';
import type { Digest, Reference, ReferenceKey, SnapshotStore } from '../store/store.ts';
import { type Deleted, discardUnnamed } from './discard-unnamed.ts';
import { blobsOf } from './manifest.ts';
import { listPublishWork } from './publish-work.ts';
import { readManifest } from './read.ts';

const nothing: Deleted = { freedBytes: 0, kept: undefined };

/**
 * Deletes the reference of a snapshot and then those of its blobs that no other reference names. One that is not there is fine. When another
 * artifact of the store cannot be read, nobody knows what it needs: every blob stays, and `kept` says so.
 */
export async function deleteArtifact(
  store: SnapshotStore,
  key: ReferenceKey,
  signal: AbortSignal,
): Promise<Deleted> {
  const reference = await referenceOf(store, key, signal);
  const own = reference === undefined ? [] : await ownBlobs(store, reference, signal);
  await store.deleteReference(key, signal);
  return own.length === 0 ? nothing : await discardUnnamed(store, new Set(own), signal);
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

/** A reference too damaged to be read is deleted all the same; a sweep takes its blobs. */
async function referenceOf(
  store: SnapshotStore,
  key: ReferenceKey,
  signal: AbortSignal,
): Promise<Reference | undefined> {
  try {
    return await store.getReference(key, signal);
  } catch (error) {
    if (isFailure(error) && error.reason === 'ArtifactCorrupt') return undefined;
    throw error;
  }
}

async function ownBlobs(
  store: SnapshotStore,
  reference: Reference,
  signal: AbortSignal,
): Promise<readonly Digest[]> {
  try {
    const manifest = await readManifest(store, reference, signal);
    return [reference.digest, ...blobsOf(manifest).map((blob) => blob.digest)];
  } catch (error) {
    if (isFailure(error, 'terminal', 'gone')) return [reference.digest];
    throw error;
  }
}
