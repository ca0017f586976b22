import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { Failure } from '../../core/failure.ts';
import { corruptBlob, isDigest } from '../store/digest.ts';
import { checkReferenceKey } from '../store/reference-key.ts';
import type { Digest, Reference, ReferenceKey, SnapshotStore } from '../store/store.ts';
import { checkLayout, corruptArchive, longestIndexBytes, parseIndex } from './archive-index.ts';
import { inParallel } from './bounded.ts';
import { discardUnnamed } from './discard-unnamed.ts';
import { blobsOf } from './manifest.ts';
import { blobNameOf, layoutFiles } from './oci-archive.ts';
import { type Artifact, readDocuments } from './read.ts';
import { readTar, type TarEntry } from './tar-reader.ts';

/** Bytes of an archive from its start. `again`: whether it can be opened a second time, as a file can and a pipe cannot. */
export type ArchiveSource = {
  readonly open: () => AsyncIterable<Uint8Array>;
  readonly again: boolean;
};

/** `isNew`: false when the same artifact stood under the key before. */
export type Imported = {
  readonly key: ReferenceKey;
  readonly artifact: Artifact;
  readonly isNew: boolean;
};

/**
 * Puts the artifact of an OCI layout tar into a store, under the key that its config names or under `as`. The archive is taken for an enemy's: every blob
 * is verified, names become no paths, documents are bounded, and the reference comes last. Errors: `ArtifactCorrupt`, `ContentConflict` when
 * another artifact stands under the key, and the store's own. What was stored and is named by nothing in the end is given back.
 */
export async function importArchive(
  store: SnapshotStore,
  source: ArchiveSource,
  as: ReferenceKey | undefined,
  onBytes: (count: number) => void,
  signal: AbortSignal,
): Promise<Imported> {
  const stored = new Set<Digest>();
  const work = { store, source, stored, onBytes, signal };
  let written: ReferenceKey | undefined;
  try {
    const artifact = await storeBlobs(work);
    const { reference } = artifact;
    const key = as ?? keyOf(artifact);
    checkReferenceKey(key);
    const isNew = await store.putReference(key, reference, signal);
    if (isNew) written = key;
    else await expectSame(store, key, reference, signal);
    // Cancelled no more: the artifact stands, and others may count on it.
    await restoreMissing({ ...work, signal: new AbortController().signal }, artifact);
    const needed = blobsOf(artifact.manifest).length + 1;
    if (stored.size > needed) await discardUnnamed(store, stored, signal);
    return { key, artifact, isNew };
  } catch (error) {
    // Best effort: the cause is what the caller must hear of, and a sweep takes the rest.
    await takeBack(store, written, stored).catch(() => undefined);
    throw error;
  }
}

const keyOf = ({ config }: Artifact): ReferenceKey => ({
  namespace: config.snapshot.namespace,
  contentUID: config.contentUID,
});

/** Also after Ctrl-C, and so under no signal of the caller. */
async function takeBack(
  store: SnapshotStore,
  written: ReferenceKey | undefined,
  stored: ReadonlySet<Digest>,
): Promise<void> {
  const { signal } = new AbortController();
  const discard = async (): Promise<void> => {
    await discardUnnamed(store, stored, signal);
  };
  if (written === undefined) await discard();
  else await store.deleteReference(written, discard, signal);
}

type Work = {
  readonly store: SnapshotStore;
  readonly source: ArchiveSource;
  /** Every digest that was given to the store. */
  readonly stored: Set<Digest>;
  readonly onBytes: (count: number) => void;
  readonly signal: AbortSignal;
};

/** Stores every blob and reads the documents among them; they must name nothing that the archive lacks. */
async function storeBlobs({ store, source, stored, onBytes, signal }: Work): Promise<Artifact> {
  const documents = await readEntries(source, onBytes, async (digest, entry) => {
    if (stored.has(digest)) return;
    stored.add(digest);
    await store.putBlob(digest, entry.storedBytes, Readable.from(entry.body), signal);
  });
  checkLayout(requiredFile(documents, layoutFiles.layout));
  const reference = parseIndex(requiredFile(documents, layoutFiles.index));
  const expectStored = (digest: Digest): void => {
    if (!stored.has(digest)) throw corruptArchive(`it lacks blob ${digest}`);
  };
  expectStored(reference.digest);
  const artifact = await readDocuments(store, reference, signal);
  for (const { digest, size } of blobsOf(artifact.manifest)) {
    expectStored(digest);
    const found = await store.statBlob(digest, signal);
    // Undefined: a sweep was faster, and has its answer after the reference.
    if (found !== undefined && found !== size) {
      throw corruptBlob(digest, `${found} bytes instead of ${size}`);
    }
  }
  return artifact;
}

/** Gives every blob of an archive to `onBlob` as it comes, and returns the documents beside them; anything but plain files is refused. */
async function readEntries(
  source: ArchiveSource,
  onBytes: (count: number) => void,
  onBlob: (digest: Digest, entry: TarEntry) => Promise<void>,
): Promise<ReadonlyMap<string, string>> {
  const documents = new Map<string, string>();
  for await (const entry of readTar(counted(source.open(), onBytes), corruptArchive)) {
    const path = entry.path.replace(/^(\.\/)+/, '');
    if (entry.header.type === '5') continue;
    const name = JSON.stringify(path.slice(0, 300));
    if (entry.header.type !== '0') throw corruptArchive(`${name} is no plain file`);
    const digest = blobNameOf(path);
    if (digest !== undefined) {
      if (!isDigest(digest)) throw corruptArchive(`${name} is not named by a digest`);
      await onBlob(digest, entry);
    } else if (path === layoutFiles.layout || path === layoutFiles.index) {
      if (entry.storedBytes > longestIndexBytes) throw corruptArchive(`${name} is too long`);
      documents.set(path, (await buffer(entry.body)).toString('utf8'));
    }
  }
  return documents;
}

async function* counted(
  bytes: AsyncIterable<Uint8Array>,
  onBytes: (count: number) => void,
): AsyncGenerator<Uint8Array> {
  for await (const piece of bytes) {
    onBytes(piece.byteLength);
    yield piece;
  }
}

function requiredFile(documents: ReadonlyMap<string, string>, name: string): string {
  const text = documents.get(name);
  if (text === undefined) throw corruptArchive(`it has no ${name}`);
  return text;
}

async function expectSame(
  store: SnapshotStore,
  key: ReferenceKey,
  reference: Reference,
  signal: AbortSignal,
): Promise<void> {
  const standing = await store.getReference(key, signal);
  if (standing?.digest === reference.digest) return;
  throw new Failure(
    'conflict',
    'ContentConflict',
    `${key.namespace}/${key.contentUID} already names ${standing?.digest ?? 'another artifact'}, not ${reference.digest}`,
  );
}

/** Stores once more what a sweep took before the reference named it. */
async function restoreMissing({ store, source, signal }: Work, artifact: Artifact): Promise<void> {
  const missing = new Set<Digest>();
  const needed = [artifact.reference, ...blobsOf(artifact.manifest)];
  await inParallel(8, needed, signal, async ({ digest, size }, _, stop) => {
    if ((await store.statBlob(digest, stop)) !== size) missing.add(digest);
  });
  if (missing.size === 0) return;
  if (!source.again) {
    const why = 'a sweep took blobs before the import had named them; import the archive again';
    throw new Failure('retry', 'StorageError', why);
  }
  const nobody = (): void => undefined;
  await readEntries(source, nobody, async (digest, entry) => {
    if (!missing.has(digest)) return;
    await store.putBlob(digest, entry.storedBytes, Readable.from(entry.body), signal);
  });
}
