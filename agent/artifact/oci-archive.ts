import type { Digest, ReferenceKey, SnapshotStore } from '../store/store.ts';
import { blobsOf } from './manifest.ts';
import { mediaTypes } from './media-types.ts';
import { type Artifact, checkSize } from './read.ts';
import { endOfArchive } from './tar-header.ts';
import { plainFile } from './tar-writer.ts';

/** Files of an OCI image layout (image-spec v1.1, image-layout.md). */
export const layoutFiles = { layout: 'oci-layout', index: 'index.json' } as const;
const blobFolder = 'blobs/sha256/';

/** The file of a blob in a layout. */
export const blobFile = (digest: Digest): string => blobFolder + digest.slice('sha256:'.length);

/** The digest that a file of a layout is named by, checked by nobody yet; undefined for files that are no blobs. */
export const blobNameOf = (path: string): string | undefined =>
  path.startsWith(blobFolder) ? `sha256:${path.slice(blobFolder.length)}` : undefined;

/** Keys of annotations in index.json. */
export const annotationKeys = {
  /** What tools take for the tag. */
  name: 'org.opencontainers.image.ref.name',
} as const;

/** Bytes of all blobs of an artifact, each once, and so nearly the length of its archive. */
export const archivedBytes = ({ reference, manifest }: Artifact): number =>
  blobsOf(manifest).reduce((sum, { size }) => sum + size, reference.size);

/**
 * An artifact as one tar of an OCI image layout, as skopeo's `oci-archive:` reads it. The same artifact makes the same bytes. Every blob is verified
 * on its way: the stream fails (`ArtifactCorrupt`) in the middle of a damaged one, and an archive without its end is refused by every reader.
 */
export async function* artifactArchive(
  store: SnapshotStore,
  key: ReferenceKey,
  artifact: Artifact,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  const { digest, size } = artifact.reference;
  const annotations = { [annotationKeys.name]: key.contentUID };
  const index = {
    schemaVersion: 2,
    mediaType: 'application/vnd.oci.image.index.v1+json',
    manifests: [
      {
        mediaType: mediaTypes.manifest,
        artifactType: mediaTypes.artifact,
        ...{ digest, size, annotations },
      },
    ],
  };
  yield* documentFile(layoutFiles.layout, { imageLayoutVersion: '1.0.0' });
  yield* documentFile(layoutFiles.index, index);
  for (const blob of [{ digest, size }, ...blobsOf(artifact.manifest)]) {
    await checkSize(store, blob.digest, blob.size, signal);
    const bytes = await store.getBlob(blob.digest, undefined, signal);
    yield* plainFile(blobFile(blob.digest), 0o644, blob.size, bytes);
  }
  yield endOfArchive;
}

async function* documentFile(path: string, value: unknown): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(`${JSON.stringify(value)}\n`);
  const once = (async function* () {
    yield bytes;
  })();
  yield* plainFile(path, 0o644, bytes.byteLength, once);
}
