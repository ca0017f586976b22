import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { corruptBlob, missingBlob, verifyBytes } from '../../agent/store/digest.ts';
import { checkReferenceKey } from '../../agent/store/reference-key.ts';
import type {
  Digest,
  ManifestBlob,
  Reference,
  ReferenceKey,
  SnapshotStore,
} from '../../agent/store/store.ts';

type StoredBlob = { bytes: Uint8Array; modifiedAtMilliseconds: number };

/** What a MemoryStore holds, for assertions and for damage done on purpose. */
export type MemoryStore = SnapshotStore & {
  readonly blobs: Map<Digest, StoredBlob>;
  readonly references: Map<string, { readonly key: ReferenceKey; readonly reference: Reference }>;
};

const slot = (key: ReferenceKey): string => `${key.namespace}/${key.contentUID}`;

/** A SnapshotStore in memory that passes the contract suite. `now`: milliseconds, for modification times. */
export function memoryStore(now: () => number = Date.now): MemoryStore {
  const blobs: MemoryStore['blobs'] = new Map();
  const references: MemoryStore['references'] = new Map();
  const withdrawn = new Map<string, ManifestBlob>();
  return {
    blobs,
    references,
    traits: { name: 'memory', atomicRename: true, durable: false, rangeReads: true },
    identity: async () => '00000000-0000-4000-8000-000000000000',
    putBlob: async (digest, sizeBytes, content, signal, taken) => {
      signal.throwIfAborted();
      const bytes = content instanceof Readable ? await buffer(content) : Buffer.from(content);
      signal.throwIfAborted();
      verifyBytes(bytes, digest, sizeBytes);
      const there = blobs.get(digest);
      if (there !== undefined) {
        there.modifiedAtMilliseconds = now();
        return { written: false };
      }
      blobs.set(digest, { bytes, modifiedAtMilliseconds: now() });
      taken?.();
      return { written: true };
    },
    getBlob: async (digest, range, signal) => {
      signal.throwIfAborted();
      const blob = blobs.get(digest);
      if (blob === undefined) throw missingBlob(digest);
      if (range !== undefined && range.end > blob.bytes.byteLength) {
        throw corruptBlob(digest, `it ends before ${range.end}`);
      }
      if (range !== undefined) return Readable.from([blob.bytes.subarray(range.start, range.end)]);
      return Readable.from(
        (async function* () {
          yield blob.bytes;
          verifyBytes(blob.bytes, digest, blob.bytes.byteLength);
        })(),
      );
    },
    statBlob: async (digest, signal) => {
      signal.throwIfAborted();
      return blobs.get(digest)?.bytes.byteLength;
    },
    putReference: async (key, reference, signal) => {
      signal.throwIfAborted();
      checkReferenceKey(key);
      if (references.has(slot(key))) return false;
      references.set(slot(key), { key, reference });
      return true;
    },
    getReference: async (key, signal) => {
      signal.throwIfAborted();
      checkReferenceKey(key);
      return references.get(slot(key))?.reference;
    },
    deleteReference: async (key, discard, signal) => {
      signal.throwIfAborted();
      checkReferenceKey(key);
      const manifest = references.get(slot(key))?.reference ?? withdrawn.get(slot(key));
      references.delete(slot(key));
      if (manifest === undefined) return;
      withdrawn.set(slot(key), manifest);
      await discard(manifest);
      withdrawn.delete(slot(key));
    },
    listKeys: async function* (signal) {
      signal.throwIfAborted();
      for (const { key } of [...references.values()]) yield key;
    },
    listReferences: async function* (signal) {
      signal.throwIfAborted();
      yield* [...references.values()];
    },
    listBlobs: async function* (signal) {
      signal.throwIfAborted();
      for (const [digest, { bytes, modifiedAtMilliseconds }] of [...blobs]) {
        yield { digest, sizeBytes: bytes.byteLength, modifiedAtMilliseconds };
      }
    },
    discardBlobs: async (candidates, named, signal) => {
      signal.throwIfAborted();
      // Aside first, as in every real store: who asks while its blobs are still there can delete what was named meanwhile.
      const aside = new Map([...blobs].filter(([digest]) => candidates.has(digest)));
      for (const digest of aside.keys()) blobs.delete(digest);
      const putBack = (digest: Digest, blob: StoredBlob): void => {
        if (!blobs.has(digest)) blobs.set(digest, blob);
      };
      let freedBytes = 0;
      try {
        const keep = await named();
        for (const [digest, blob] of aside) {
          if (keep.has(digest)) putBack(digest, blob);
          else freedBytes += blob.bytes.byteLength;
        }
      } catch (error) {
        for (const [digest, blob] of aside) putBack(digest, blob);
        throw error;
      }
      return { freedBytes };
    },
    listLeftovers: async function* (_before, signal) {
      signal.throwIfAborted();
      yield* [];
    },
    removeLeftovers: async (_before, signal) => signal.throwIfAborted(),
    checkWritable: async (signal) => signal.throwIfAborted(),
    freeBytes: async () => undefined,
  };
}
