import { Failure } from '../../core/failure.ts';
import { adoptArtifact } from '../artifact/adopt.ts';
import type { ArtifactConfig, ArtifactFacts } from '../artifact/config.ts';
import { abandonPublish, deleteArtifact } from '../artifact/delete.ts';
import { type Pace, pacedStore } from '../artifact/paced-store.ts';
import { publishArtifact } from '../artifact/publish.ts';
import type { PublishedArtifact } from '../artifact/published.ts';
import { findPublished, readArtifact } from '../artifact/read.ts';
import { isDigest } from '../store/digest.ts';
import type { SnapshotStore } from '../store/store.ts';
import type { Adopted, Artifacts, PublishRequest } from './deps.ts';
import type { Published } from './facts.ts';
import type { NodeFacts } from './status.ts';

/** Bytes of one publish: of memory that was resident, of everything before compression, of the artifact's blobs, and of those that were not there yet. */
export type PublishedBytes = {
  readonly residentBytes: number;
  readonly logicalBytes: number;
  readonly storedBytes: number;
  readonly writtenBytes: number;
};

/** The artifacts of a store. `node`: facts that go into each artifact; the same for every publish of one capture. */
export function storeArtifacts(
  store: SnapshotStore,
  node: NodeFacts,
  options: { readonly pace: Pick<Pace, 'spend'>; readonly told: (bytes: PublishedBytes) => void },
): Artifacts {
  const published = (artifact: PublishedArtifact): Published => ({
    digest: artifact.digest,
    sizeBytes: artifact.sizeBytes,
    storedBytes: artifact.storedBytes,
    store: store.traits.name,
  });
  return {
    storeName: store.traits.name,
    adopt: async (digest, key, signal) => {
      if (!isDigest(digest)) {
        throw new Failure('terminal', 'ArtifactLost', `${digest} is no digest of an artifact`);
      }
      const artifact = await adoptArtifact(store, digest, key, signal);
      const { config } = await readArtifact(store, key, signal);
      return { published: published(artifact), source: sourceOf(config) };
    },
    checkWritable: (signal) => store.checkWritable(signal),
    publish: async (request, signal) => {
      const { dump, stagingDirectory, key, fence, beforeReference, onProgress } = request;
      const facts = artifactFactsOf(request, node);
      let writtenBytes = 0;
      const paced = pacedStore(store, options.pace, (bytes) => {
        writtenBytes += bytes;
      });
      const artifact = await publishArtifact({
        ...{ store: paced, dump, stagingDirectory, facts, key, fence },
        ...{ beforeReference, onProgress, signal },
      });
      options.told({
        residentBytes: artifact.memoryBytes,
        logicalBytes: artifact.sizeBytes,
        storedBytes: artifact.storedBytes,
        writtenBytes,
      });
      return published(artifact);
    },
    find: async (key, signal) => {
      const found = await findPublished(store, key, signal);
      if (found === undefined) return undefined;
      if (!found.complete) return 'damaged';
      const { config } = await readArtifact(store, key, signal);
      const freezes = config.containers.map((container) => container.freezeMilliseconds);
      return {
        published: published(found.artifact),
        freezeMilliseconds: config.freezeMilliseconds ?? Math.max(0, ...freezes),
      };
    },
    discard: async (key, stagingDirectory, signal) => {
      await deleteArtifact(store, key, signal);
      if (stagingDirectory !== undefined) await abandonPublish(store, stagingDirectory, signal);
    },
  };
}

/** The facts that a capture writes into status, as its artifact has them. */
function sourceOf({ node, containers }: ArtifactConfig): Adopted['source'] {
  const images = containers.map(({ name, image, imageID }) => ({
    container: name,
    image,
    imageID,
  }));
  const limits = Object.fromEntries(containers.map((one) => [one.name, one.limits]));
  const criuVersion = containers[0]?.criuVersion;
  return { node: { ...node, criuVersion }, pod: { images, limits } };
}

/** What the artifact says besides the dump. Nothing in it may differ between two publishes of one capture: its digest depends on it. */
function artifactFactsOf(request: PublishRequest, node: NodeFacts): ArtifactFacts {
  const { content, facts } = request;
  const { snapshotRef, source, afterCapture, tcp, waitForReady } = content.spec;
  const { name, architecture, kernelVersion, cpu } = node;
  return {
    contentUID: content.metadata.uid,
    snapshot: {
      namespace: snapshotRef.namespace,
      name: snapshotRef.name,
      uid: snapshotRef.uid ?? '',
    },
    pod: {
      namespace: snapshotRef.namespace,
      name: source.podRef?.name ?? '',
      uid: source.podRef?.uid ?? '',
    },
    node: { name, architecture, kernelVersion, cpu },
    network: facts.network,
    options: { afterCapture, tcp, waitForReady },
    containers: (source.podRef?.containers ?? []).map((name) => {
      const image = facts.images.find((candidate) => candidate.container === name);
      return {
        name,
        image: image?.image ?? '',
        imageID: image?.imageID ?? '',
        limits: facts.limits[name] ?? {},
      };
    }),
  };
}
