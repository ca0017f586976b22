import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { ReferenceKey, SnapshotStore } from '../store/store.ts';
import { inParallel } from './bounded.ts';
import { blobsOf } from './manifest.ts';
import { type Artifact, checkSize, readArtifact } from './read.ts';

/** Reads every byte of an artifact and compares it with its digest. `ArtifactCorrupt` names the blob; `ArtifactLost` when there is no reference. */
export async function verifyArtifact(
  store: SnapshotStore,
  key: ReferenceKey,
  signal: AbortSignal,
): Promise<Artifact> {
  const artifact = await readArtifact(store, key, signal);
  await inParallel(4, blobsOf(artifact.manifest), signal, async ({ digest, size }, _, stop) => {
    await checkSize(store, digest, size, stop);
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    await pipeline(await store.getBlob(digest, undefined, stop), nowhere, { signal: stop });
  });
  return artifact;
}
