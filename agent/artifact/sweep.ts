import { errorText, isFailure } from '../../core/failure.ts';
import type { Digest, Leftover, SnapshotStore } from '../store/store.ts';
import { type Deleted, discardUnnamed, namedBlobs } from './discard-unnamed.ts';

/** A blob of a store as a listing has it. */
export type StoredBlob = {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly modifiedAtMilliseconds: number;
};

/** What a sweep would do. */
export type SweepPlan = {
  /** Named by a reference. */
  readonly named: readonly StoredBlob[];
  /** Named by none, and old enough to go. */
  readonly garbage: readonly StoredBlob[];
  /** Named by none, but written or found within the grace period: a publish may be about to name them. */
  readonly young: readonly StoredBlob[];
  readonly leftovers: readonly Leftover[];
  /** Why nobody can tell what is named; no blob is garbage then. */
  readonly blocked: string | undefined;
};

/** Looks what a sweep would do now, and changes nothing. `now`: wall clock, milliseconds. */
export async function planSweep(
  store: SnapshotStore,
  graceMilliseconds: number,
  now: number,
  signal: AbortSignal,
): Promise<SweepPlan> {
  const before = now - graceMilliseconds;
  const leftovers = await collect(store.listLeftovers(before, signal));
  // Blobs first: what a publish writes and names after this is not even looked at.
  const blobs = await collect(store.listBlobs(signal));
  const none: SweepPlan = { named: [], garbage: [], young: [], leftovers, blocked: undefined };
  try {
    const needed = await namedBlobs(store, signal);
    const unnamed = blobs.filter(({ digest }) => !needed.has(digest));
    return {
      ...none,
      named: blobs.filter(({ digest }) => needed.has(digest)),
      garbage: unnamed.filter((blob) => blob.modifiedAtMilliseconds < before),
      young: unnamed.filter((blob) => blob.modifiedAtMilliseconds >= before),
    };
  } catch (error) {
    if (!isFailure(error, 'terminal', 'gone')) throw error;
    return { ...none, blocked: errorText(error) };
  }
}

async function collect<T>(entries: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

/**
 * Deletes blobs that no reference names and that nobody wrote or found for `graceMilliseconds`, and leftovers of that age: what deletions and
 * publishes left behind that were interrupted for good. Publishes, deletions and other sweeps may go on meanwhile. `now`: wall clock, milliseconds.
 */
export async function sweepStore(
  store: SnapshotStore,
  graceMilliseconds: number,
  now: number,
  signal: AbortSignal,
): Promise<Deleted> {
  const before = now - graceMilliseconds;
  await store.removeLeftovers(before, signal);
  const old = new Set<Digest>();
  for await (const { digest, modifiedAtMilliseconds } of store.listBlobs(signal)) {
    if (modifiedAtMilliseconds < before) old.add(digest);
  }
  return await discardUnnamed(store, old, signal);
}
