import type { Digest } from '../store/store.ts';
import type { ArtifactConfig } from './config.ts';
import { blobsOf, type Manifest } from './manifest.ts';

/** An artifact whose reference stands. `storedBytes`: of all its blobs, each counted once, whoever else shares them. */
export type PublishedArtifact = {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly storedBytes: number;
  readonly manifest: Manifest;
};

/** The facts of an artifact that status reports; `size` is that of the manifest. */
export function publishedArtifact(
  digest: Digest,
  size: number,
  manifest: Manifest,
  config: ArtifactConfig,
): PublishedArtifact {
  const storedBytes = blobsOf(manifest).reduce((sum, blob) => sum + blob.size, size);
  return { digest, sizeBytes: config.totals.sizeBytes, storedBytes, manifest };
}
