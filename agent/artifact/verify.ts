import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { isFailure } from '../../core/failure.ts';
import type { Digest, Reference, ReferenceKey, SnapshotStore } from '../store/store.ts';
import { inParallel } from './bounded.ts';
import { blobsOf, type Descriptor, type Manifest } from './manifest.ts';
import { type Artifact, checkSize, readArtifact, readConfig, readManifest } from './read.ts';

const parallelReads = 4;

/** Reads every byte of an artifact and compares it with its digest. `ArtifactCorrupt` names the blob; `ArtifactLost` when there is no reference. */
export async function verifyArtifact(
  store: SnapshotStore,
  key: ReferenceKey,
  signal: AbortSignal,
): Promise<Artifact> {
  const artifact = await readArtifact(store, key, signal);
  await inParallel(parallelReads, blobsOf(artifact.manifest), signal, (blob, _, stop) =>
    verifyBlob(store, blob, stop),
  );
  return artifact;
}

async function verifyBlob(
  store: SnapshotStore,
  { digest, size }: Descriptor,
  signal: AbortSignal,
): Promise<void> {
  await checkSize(store, digest, size, signal);
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
  await pipeline(await store.getBlob(digest, undefined, signal), nowhere, { signal });
}

/** Something wrong with an artifact. `digest`: the blob, where it is one blob's fault. */
export type Damage = { readonly digest: Digest | undefined; readonly message: string };

/** Stored bytes that were looked at, of those of the artifact. */
export type VerifyProgress = { readonly bytesDone: number; readonly bytesTotal: number };

/**
 * Everything that is wrong with an artifact, not only the first. A blob that the store cannot read counts as damaged, too. `checked`: blobs
 * that several artifacts share are read once when all are given the same map.
 */
export async function findDamage(
  store: SnapshotStore,
  reference: Reference,
  checked: Map<string, Damage | undefined>,
  onProgress: (progress: VerifyProgress) => void,
  signal: AbortSignal,
): Promise<readonly Damage[]> {
  const manifest = await unlessDamaged(() => readManifest(store, reference, signal), signal);
  if ('message' in manifest) return [{ ...manifest, digest: reference.digest }];
  const blobs = blobsOf(manifest);
  const bytesTotal = blobs.reduce((sum, blob) => sum + blob.size, 0);
  let bytesDone = 0;
  // Two artifacts may disagree on the size of one blob, so the digest alone is no name for what is known.
  const slotOf = (blob: Descriptor): string => `${blob.digest} ${blob.size}`;
  await inParallel(parallelReads, blobs, signal, async (blob, _, stop) => {
    const { digest, size } = blob;
    if (!checked.has(slotOf(blob))) {
      const damage = await unlessDamaged(() => verifyBlob(store, blob, stop), signal);
      checked.set(slotOf(blob), damage === undefined ? undefined : { ...damage, digest });
    }
    bytesDone += size;
    onProgress({ bytesDone, bytesTotal });
  });
  const found = blobs.flatMap((blob) => checked.get(slotOf(blob)) ?? []);
  if (found.some(({ digest }) => digest === manifest.config.digest)) return found;
  const config = await unlessDamaged(() => configAgrees(store, manifest, signal), signal);
  return config === undefined ? found : [...found, { ...config, digest: undefined }];
}

async function configAgrees(
  store: SnapshotStore,
  manifest: Manifest,
  signal: AbortSignal,
): Promise<void> {
  await readConfig(store, manifest, signal);
}

/** What the work gives, or the message of the Failure it ended with; an aborted signal is thrown. */
async function unlessDamaged<T>(
  work: () => Promise<T>,
  signal: AbortSignal,
): Promise<T | { readonly message: string }> {
  try {
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    if (!isFailure(error)) throw error;
    return { message: error.message };
  }
}
