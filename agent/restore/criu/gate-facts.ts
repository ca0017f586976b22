import { join } from 'node:path';
import type { Pod } from '../../../core/api/workload.ts';
import { quantityValue } from '../../../core/restore/quantity.ts';
import type { CheckRequest, RestoreTarget } from '../backend.ts';
import type { ContainerFacts, GateFacts, NodeSide } from '../gates/facts.ts';
import type { CpuCheck } from './cpu-check.ts';
import { readImageFacts } from './image-facts.ts';
import { externalMounts } from './placeholder.ts';
import { mustNotBeRoot } from './security-context.ts';
import { readTargetFacts } from './target-facts.ts';

type GateOptions = {
  readonly procRoot: string;
  readonly cpu: CpuCheck;
  readonly node: NodeSide;
};

/** Where extractArtifact put the images of a container. */
export const imagesOf = (filesDirectory: string, container: string): string =>
  join(filesDirectory, 'containers', container, 'images');

/** Reads both sides. Throws ArtifactCorrupt for images that are not as CRIU writes them, RestoreFailed for a placeholder that has ended. */
export async function readGateFacts(
  options: GateOptions,
  request: CheckRequest,
  signal: AbortSignal,
): Promise<GateFacts> {
  const { artifact, targets, filesDirectory } = request;
  const containers = await Promise.all(
    targets.map((target) => readContainerFacts(options.procRoot, request, target)),
  );
  const [first] = targets;
  const cpuProblem =
    filesDirectory === undefined || first === undefined
      ? undefined
      : await options.cpu(imagesOf(filesDirectory, first.container.name), signal);
  return { captured: artifact.node, node: options.node, cpuProblem, containers };
}

async function readContainerFacts(
  procRoot: string,
  { pod, filesDirectory }: CheckRequest,
  target: RestoreTarget,
): Promise<ContainerFacts> {
  const { name, imageID, memory } = target.container;
  const { privileges, mounts } = await readTargetFacts(procRoot, target.placeholder);
  return {
    name,
    capturedImageID: imageID,
    residentBytes: memory.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0),
    externalMounts: externalMounts(target),
    imageID: pod.status.containerStatuses.find((one) => one.name === name)?.imageID,
    memoryLimitBytes: memoryLimitOf(pod, name),
    mounts,
    privileges: { ...privileges, mustNotBeRoot: mustNotBeRoot(pod, name) },
    images:
      filesDirectory === undefined
        ? undefined
        : await readImageFacts(imagesOf(filesDirectory, name)),
  };
}

function memoryLimitOf(pod: Pod, name: string): number | undefined {
  const container = pod.spec.containers.find((one) => one.name === name);
  const limit = container?.resources?.limits?.memory;
  return limit === undefined ? undefined : quantityValue(limit);
}
