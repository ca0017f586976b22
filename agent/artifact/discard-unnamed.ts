import { errorText, isFailure } from '../../core/failure.ts';
import type { Digest, SnapshotStore } from '../store/store.ts';
import { blobsOf } from './manifest.ts';
import { readManifest } from './read.ts';

/** What a deletion did. `kept`: why blobs that nobody may need are still there, for a sweep to take. */
export type Deleted = { readonly freedBytes: number; readonly kept: string | undefined };

/** Deletes those of `candidates` that no reference names; none of them when one artifact of the store cannot be read, and `kept` says so. */
export async function discardUnnamed(
  store: SnapshotStore,
  candidates: ReadonlySet<Digest>,
  signal: AbortSignal,
): Promise<Deleted> {
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
export async function namedBlobs(
  store: SnapshotStore,
  signal: AbortSignal,
): Promise<ReadonlySet<Digest>> {
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
