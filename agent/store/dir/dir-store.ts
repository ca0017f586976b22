import type { SnapshotStore } from '../store.ts';
import { listBlobs, readBlob, statBlob } from './blob-reader.ts';
import { blobWriter } from './blob-writer.ts';
import { discardBlobs } from './discard.ts';
import { tryWriting } from './durable-file.ts';
import { makeBelow, temporaryPath } from './layout.ts';
import { listLeftovers, removeLeftovers } from './leftovers.ts';
import {
  deleteReference,
  getReference,
  listKeys,
  listReferences,
  putReference,
} from './reference-files.ts';
import { freeBytesOf, onStorage, storageFailure } from './storage-failure.ts';
import { storeIdentity } from './store-identity.ts';

/** What contents and heartbeats call it. */
export const storeName = 'dir';

/**
 * A SnapshotStore in a directory of any file system with hard links and fsync, shared or not. The directory must exist; nothing is touched before
 * the first call, so a store that is missing or read-only fails the call and not the process.
 */
export function dirStore(root: string): SnapshotStore {
  const putBlob = blobWriter(root, Date.now);
  return {
    traits: { name: storeName, atomicRename: true, durable: true, rangeReads: true },
    identity: (signal) => storeIdentity(root, signal),
    putBlob: async (digest, sizeBytes, content, signal, taken) => ({
      written: await onStorage(root, `write blob ${digest} of ${sizeBytes} bytes`, signal, () =>
        putBlob(digest, sizeBytes, content, signal, taken),
      ),
    }),
    getBlob: (digest, range, signal) =>
      onStorage(root, `read blob ${digest}`, signal, () => readBlob(root, digest, range, signal)),
    statBlob: (digest, signal) =>
      onStorage(root, `look for blob ${digest}`, signal, () => statBlob(root, digest)),
    putReference: (key, reference, signal) =>
      onStorage(root, `write the reference of ${key.contentUID}`, signal, () =>
        putReference(root, key, reference),
      ),
    getReference: (key, signal) =>
      onStorage(root, `read the reference of ${key.contentUID}`, signal, () =>
        getReference(root, key),
      ),
    deleteReference: (key, discard, signal) =>
      onStorage(root, `delete the reference of ${key.contentUID}`, signal, () =>
        deleteReference(root, key, discard),
      ),
    listKeys: (signal) => listing(root, 'list snapshots', signal, listKeys(root)),
    listReferences: (signal) => listing(root, 'list references', signal, listReferences(root)),
    listBlobs: (signal) => listing(root, 'list blobs', signal, listBlobs(root)),
    discardBlobs: (candidates, named, signal) =>
      onStorage(root, 'delete blobs', signal, () => discardBlobs(root, candidates, named)),
    listLeftovers: (before, signal) =>
      listing(root, 'list leftovers', signal, listLeftovers(root, before, Date.now())),
    removeLeftovers: (before, signal) =>
      onStorage(root, 'remove leftovers', signal, () => removeLeftovers(root, before, Date.now())),
    checkWritable: (signal) =>
      onStorage(root, 'take a file', signal, async () => {
        await using temporary = await makeBelow(root, temporaryPath);
        await tryWriting(temporary);
      }),
    freeBytes: (signal) => onStorage(root, 'tell its free space', signal, () => freeBytesOf(root)),
  };
}

async function* listing<T>(
  root: string,
  what: string,
  signal: AbortSignal,
  entries: AsyncGenerator<T>,
): AsyncGenerator<T> {
  signal.throwIfAborted();
  try {
    for await (const entry of entries) {
      signal.throwIfAborted();
      yield entry;
    }
  } catch (error) {
    signal.throwIfAborted();
    throw await storageFailure(root, what, error);
  }
}
