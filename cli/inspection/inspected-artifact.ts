import { type ArtifactContainer, volumesOf } from '../../agent/artifact/config.ts';
import type { BlobSource } from '../../agent/artifact/read.ts';
import { readContainerImages } from './container-images.ts';
import { inspectProcess, type Question } from './inspected-process.ts';
import type { OpenedArtifact } from './opened-artifact.ts';
import { ContainerMemory } from './process-memory.ts';

/** An artifact as `inspect` shows it. */
export type InspectedArtifact = Awaited<ReturnType<typeof inspectArtifact>>;
export type InspectedContainer = InspectedArtifact['containers'][number];

/** Reads what an artifact says about itself, and the images of each container; of its memory only arguments and environments. */
export async function inspectArtifact(
  { name, artifact, blobs }: OpenedArtifact,
  question: Question,
  signal: AbortSignal,
) {
  const { reference, config } = artifact;
  const containers = [];
  for (const container of config.containers) {
    containers.push(await inspectContainer(blobs, container, question, signal));
  }
  return {
    name,
    digest: reference.digest,
    snapshot: config.snapshot,
    contentUID: config.contentUID,
    pod: config.pod,
    node: config.node,
    network: config.network,
    options: config.options,
    ...(config.freezeMilliseconds === undefined
      ? {}
      : { freezeMilliseconds: config.freezeMilliseconds }),
    totals: config.totals,
    containers,
    volumes: [...volumesOf(config.containers).values()].map((volume) => ({
      name: volume.name,
      sizeBytes: volume.sizeBytes,
      storedBytes: volume.storedBytes,
    })),
  };
}

async function inspectContainer(
  blobs: BlobSource,
  container: ArtifactContainer,
  question: Question,
  signal: AbortSignal,
) {
  const images = await readContainerImages(blobs, container, signal);
  const memory = new ContainerMemory(blobs, container, images);
  const processes = [];
  for (const process of images.processes) {
    processes.push(await inspectProcess(process, images, memory, question, signal));
  }
  const { name, image, imageID, limits, frozenAt, freezeMilliseconds, criuVersion } = container;
  return {
    ...{ name, image, imageID, limits, frozenAt, freezeMilliseconds, criuVersion },
    inventory: images.inventory,
    mounts: container.mounts,
    writableLayer: {
      sizeBytes: container.rootfs.sizeBytes,
      storedBytes: container.rootfs.storedBytes,
    },
    processes,
  };
}
