import { type ArtifactContainer, volumesOf } from '../../agent/artifact/config.ts';
import { factDifferences } from './fact-difference.ts';
import { fileDifferences, type Layer } from './file-difference.ts';
import { inspectArtifact } from './inspected-artifact.ts';
import { isSameMemory, memoryDifference } from './memory-difference.ts';
import type { OpenedArtifact } from './opened-artifact.ts';
import { processDifferences } from './process-difference.ts';

/** What two artifacts do not have in common. */
export type ArtifactDifference = Awaited<ReturnType<typeof artifactDifference>>;

/** Compares two artifacts: facts, and by container and volume processes, memory and files. Reads layers that differ as a whole. */
export async function artifactDifference(
  before: OpenedArtifact,
  after: OpenedArtifact,
  signal: AbortSignal,
) {
  // Values are compared and never told, so that a secret that changed shows as changed.
  const question = { showSecrets: true, mappings: 0 };
  const [first, second] = [
    await inspectArtifact(before, question, signal),
    await inspectArtifact(after, question, signal),
  ];
  const containers = [];
  for (const name of namesOf(containersOf(before), containersOf(after))) {
    const [was, is] = [containersOf(before).get(name), containersOf(after).get(name)];
    const processesOf = ({ containers: all }: typeof first) =>
      all.find((container) => container.name === name)?.processes ?? [];
    const [layerBefore, layerAfter] = [layer(before, was?.rootfs), layer(after, is?.rootfs)];
    containers.push({
      name,
      processes: processDifferences(processesOf(first), processesOf(second)),
      memory: { same: isSameMemory(was, is), ...memoryDifference(was, is) },
      files: await fileDifferences(layerBefore, layerAfter, 'rootfs', signal),
    });
  }
  const volumes = [];
  const [volumesBefore, volumesAfter] = [volumesByName(before), volumesByName(after)];
  for (const name of namesOf(volumesBefore, volumesAfter)) {
    const layers = [
      layer(before, volumesBefore.get(name)),
      layer(after, volumesAfter.get(name)),
    ] as const;
    volumes.push({ name, files: await fileDifferences(...layers, 'volume', signal) });
  }
  const facts = factDifferences(first, second);
  const same =
    facts.length === 0 &&
    containers.every(
      ({ processes, memory, files }) => processes.length === 0 && memory.same && files.length === 0,
    ) &&
    volumes.every(({ files }) => files.length === 0);
  return {
    before: { name: first.name, digest: first.digest },
    after: { name: second.name, digest: second.digest },
    ...{ same, facts, containers, volumes },
  };
}

const containersOf = ({ artifact }: OpenedArtifact): ReadonlyMap<string, ArtifactContainer> =>
  new Map(artifact.config.containers.map((container) => [container.name, container]));

const volumesByName = ({ artifact }: OpenedArtifact) =>
  new Map([...volumesOf(artifact.config.containers).values()].map((each) => [each.name, each]));

const namesOf = (
  before: ReadonlyMap<string, unknown>,
  after: ReadonlyMap<string, unknown>,
): readonly string[] => [...new Set([...before.keys(), ...after.keys()])];

const layer = ({ blobs }: OpenedArtifact, blob: Layer['blob'] | undefined): Layer | undefined =>
  blob === undefined ? undefined : { blobs, blob };
