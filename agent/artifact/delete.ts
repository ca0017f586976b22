import { errorText, isFailure } from '../../core/failure.ts';
import type { Digest, Reference, ReferenceKey, SnapshotStore } from '../store/store.ts';
import { blobsOf } from './manifest.ts';
import { listPublishWork } from './publish-work.ts';
import { readManifest } from './read.ts';

/** What a deletion did. `kept`: why blobs that nobody may need are still there, for a sweep to take. */
export type Deleted = { readonly freedBytes: number; readonly kept: string | undefined };

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
  return await discard(store, new Set(own), signal);
}

/** Takes back what a publish from this staging directory stored and never named. Call it before staging is dropped for good. */
export async function abandonPublish(
  store: SnapshotStore,
  stagingDirectory: string,
  signal: AbortSignal,
): Promise<Deleted> {
  return await discard(store, await listPublishWork(stagingDirectory), signal);
}

/**
 * Deletes blobs that no reference names and that nobody wrote or found for `graceMilliseconds`: what deletions and publishes left behind that were
 * interrupted for good. `now`: wall clock, milliseconds.
 */
export async function sweepStore(
  store: SnapshotStore,
  graceMilliseconds: number,
  now: number,
  signal: AbortSignal,
): Promise<Deleted> {
  const old = new Set<Digest>();
  for await (const { digest, modifiedAtMilliseconds } of store.listBlobs(signal)) {
    if (now - modifiedAtMilliseconds > graceMilliseconds) old.add(digest);
  }
  return await discard(store, old, signal);
}

async function discard(
  store: SnapshotStore,
  candidates: ReadonlySet<Digest>,
  signal: AbortSignal,
): Promise<Deleted> {
  if (candidates.size === 0) return { freedBytes: 0, kept: undefined };
  try {
    const before = await namedBlobs(store, signal);
    const unnamed = new Set([...candidates].filter((digest) => !before.has(digest)));
    const named = () => namedBlobs(store, signal);
    return { ...(await store.discardBlobs(unnamed, named, signal)), kept: undefined };
  } catch (error) {
    if (!isFailure(error, 'terminal', 'gone')) throw error;
    return { freedBytes: 0, kept: errorText(error) };
  }
}

/** Every blob that some reference needs. Throws when one artifact cannot be read: a missing answer is not "no". */
async function namedBlobs(store: SnapshotStore, signal: AbortSignal): Promise<ReadonlySet<Digest>> {
  const named = new Set<Digest>();
  for await (const { key, reference } of store.listReferences(signal)) {
    named.add(reference.digest);
    try {
      const manifest = await readManifest(store, reference, signal);
      for (const { digest } of blobsOf(manifest)) named.add(digest);
    } catch (error) {
      // Deleted between the listing and now: it names nothing any more.
      if ((await store.getReference(key, signal)) !== undefined) throw error;
    }
  }
  return named;
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
