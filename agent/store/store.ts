import type { Readable } from 'node:stream';

/** `sha256:<64 hex>`. */
export type Digest = `sha256:${string}`;

/** The blob that names all others of a snapshot. */
export type ManifestBlob = {
  readonly digest: Digest;
  readonly size: number;
  readonly mediaType: string;
};

/** The commit point of a snapshot: written once, after everything it names is durable. */
export type Reference = ManifestBlob & {
  /** leaseTransitions of the writer's lease. */
  readonly fence: number;
};

/** Where a reference lives: `snapshots/<namespace>/<content UID>.json`. */
export type ReferenceKey = { readonly namespace: string; readonly contentUID: string };

/** Something beside the blobs and references that a dead writer left. `name`: for people, from the store's root. */
export type Leftover = {
  readonly name: string;
  readonly sizeBytes: number;
  readonly modifiedAtMilliseconds: number;
};

/** What an adapter can promise. */
export type StoreTraits = {
  readonly name: string;
  readonly atomicRename: boolean;
  readonly durable: boolean;
  readonly rangeReads: boolean;
};

/**
 * Where artifacts live. Blobs are immutable and named by digest; a blob that exists is not written again. Errors: `StorageFull`
 * (ENOSPC, EDQUOT), `StorageError` (the rest), both kind 'retry'; `ArtifactCorrupt` (terminal) when bytes do not match their digest;
 * `ArtifactLost` (gone) when the store said that a blob is not there. An aborted signal rejects with its reason.
 */
export interface SnapshotStore {
  readonly traits: StoreTraits;
  /** A UUID, the same for everybody who uses this store and for as long as it exists; made when it is first asked for. */
  identity(signal: AbortSignal): Promise<string>;
  /**
   * Durable when it resolves. The bytes are verified against digest and size on the way. Returns whether anything was written. `taken`: called
   * once they are written, though not yet durable, if at all: from then on whose memory they were in may use it for something else.
   */
  putBlob(
    digest: Digest,
    sizeBytes: number,
    content: Uint8Array | Readable,
    signal: AbortSignal,
    taken?: () => void,
  ): Promise<{ readonly written: boolean }>;
  /** `range`: bytes from `start` up to, not including, `end`. A whole blob is verified: the stream fails at its end when the digest differs. */
  getBlob(
    digest: Digest,
    range: { readonly start: number; readonly end: number } | undefined,
    signal: AbortSignal,
  ): Promise<Readable>;
  /** Size in bytes, or undefined when the store said that there is none. */
  statBlob(digest: Digest, signal: AbortSignal): Promise<number | undefined>;
  /** Only if absent: false when another reference stands there. Also writes the snapshot's own oci-layout and index.json beside it. */
  putReference(key: ReferenceKey, reference: Reference, signal: AbortSignal): Promise<boolean>;
  getReference(key: ReferenceKey, signal: AbortSignal): Promise<Reference | undefined>;
  /**
   * Deletes a reference, durably, and then calls `discard` with what it named, for its blobs to go too. What it named is forgotten only once that
   * resolved: after a crash or a failure the same call begins there again. One that is not there is fine.
   */
  deleteReference(
    key: ReferenceKey,
    discard: (manifest: ManifestBlob) => Promise<void>,
    signal: AbortSignal,
  ): Promise<void>;
  /** Every key that a reference stands under, also one that cannot be read. */
  listKeys(signal: AbortSignal): AsyncIterable<ReferenceKey>;
  /** Every reference; fails at the first that cannot be read. */
  listReferences(
    signal: AbortSignal,
  ): AsyncIterable<{ readonly key: ReferenceKey; readonly reference: Reference }>;
  listBlobs(signal: AbortSignal): AsyncIterable<{
    readonly digest: Digest;
    readonly sizeBytes: number;
    readonly modifiedAtMilliseconds: number;
  }>;
  /**
   * Deletes those of `candidates` that nobody names: moves them aside, asks `named` (again, from the store), puts back what is named by
   * then and deletes the rest, with what an earlier, interrupted call left aside. A publisher verifies its blobs after its reference
   * stands and writes missing ones again, so neither loses the other's bytes, however many discard at once. Nothing is deleted when `named`
   * rejects.
   */
  discardBlobs(
    candidates: ReadonlySet<Digest>,
    named: () => Promise<ReadonlySet<Digest>>,
    signal: AbortSignal,
  ): Promise<{ readonly freedBytes: number }>;
  /** What writers and deletions left that ended before `beforeMilliseconds` (wall clock), none of it a blob or a reference. */
  listLeftovers(beforeMilliseconds: number, signal: AbortSignal): AsyncIterable<Leftover>;
  /** Removes the same, but for what is aside on its way out: that is discardBlobs' own. */
  removeLeftovers(beforeMilliseconds: number, signal: AbortSignal): Promise<void>;
  /** Rejects, with the store's own error, when nothing could be written now; leaves nothing behind. */
  checkWritable(signal: AbortSignal): Promise<void>;
  /** Bytes that can still be written, or undefined where nobody knows. */
  freeBytes(signal: AbortSignal): Promise<number | undefined>;
}
