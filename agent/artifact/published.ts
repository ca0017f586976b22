import type { Digest } from '../store/store.ts';
import type { ArtifactConfig } from './config.ts';
import { blobsOf, type Manifest } from './manifest.ts';

/** An artifact whose reference stands. `memoryBytes`: of the pages in it, zeros too; `storedBytes`: of all its blobs, each counted once, whoever else shares them. */
export type PublishedArtifact = {
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly memoryBytes: number;
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
  const memoryBytes = config.containers
    .flatMap((container) => container.memory)
    .reduce((sum, file) => sum + file.sizeBytes, 0);
  return { digest, sizeBytes: config.totals.sizeBytes, memoryBytes, storedBytes, manifest };
}
