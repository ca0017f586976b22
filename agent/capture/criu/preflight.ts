import type { Mount } from '../../proc/mountinfo.ts';
import { run } from '../../proc/run.ts';
import type { BackendProbe, Blocker, CaptureRequest, SourceContainer } from '../backend.ts';
import { emptyDirDirectory } from '../empty-dir.ts';
import { estimatedBytes, type SourceFacts } from '../facts.ts';
import { findBlockers } from '../preflight.ts';
import type { CriuOptions } from './backend.ts';
import { findUnsavableDescriptors } from './descriptor-details.ts';
import { type PlannedVolume, planPod } from './mount-plan.ts';
import {
  findMultipathListeners,
  findNamespacesSharedWithNode,
  readProcessFacts,
} from './process-facts.ts';
import { findRoom, sharedMemoryBytes } from './room.ts';
import { readMounts, upperDirectoryOf, upperDirectoryProblem } from './source.ts';
import { findWatches } from './watches.ts';

/** Observes the running source, judges, and estimates: freezes nothing, changes nothing. */
export async function preflight(
  options: CriuOptions,
  probe: BackendProbe,
  request: CaptureRequest,
  signal: AbortSignal,
): Promise<{ readonly blockers: readonly Blocker[]; readonly estimatedBytes: number }> {
  const facts = await observe(options, probe, request, signal);
  return { blockers: findBlockers(facts), estimatedBytes: estimatedBytes(facts) };
}

async function observe(
  options: CriuOptions,
  probe: BackendProbe,
  request: CaptureRequest,
  signal: AbortSignal,
): Promise<SourceFacts> {
  const { procRoot } = options;
  const containers = await Promise.all(
    request.containers.map(async (container) => {
      const mounts = await readMounts(procRoot, container.root.pid);
      return { container, mounts };
    }),
  );
  const plan = planPod(containers, await readMounts(procRoot, 1), request);
  const facts = await Promise.all(
    containers.map(({ container, mounts }) => observeContainer(options, container, mounts, signal)),
  );
  return {
    probe,
    ...together(facts),
    volumes: plan.volumes.map(({ name, mount: { mountPoint, fileSystem } }) => ({
      ...{ name, path: mountPoint, fileSystem },
    })),
    missingVolumes: plan.missing,
    volumeBytes: await volumeBytes(options, request.podUID, plan.volumes, signal),
    room: await findRoom([
      { what: 'the staging directory', directory: request.stagingDirectory },
      ...(options.storeDirectory === undefined
        ? []
        : [{ what: 'the store', directory: options.storeDirectory }]),
    ]),
  };
}

/** What is known of each container alone. */
type ContainerFacts = Omit<
  SourceFacts,
  'probe' | 'room' | 'volumes' | 'missingVolumes' | 'volumeBytes'
>;

async function observeContainer(
  options: CriuOptions,
  { root }: SourceContainer,
  mounts: readonly Mount[],
  signal: AbortSignal,
): Promise<ContainerFacts> {
  const { procRoot } = options;
  const { processes, memoryBytes } = await readProcessFacts(procRoot, root);
  const layerProblem = upperDirectoryProblem(mounts, options.runtimeRoots);
  return {
    processes,
    memoryBytes,
    sharedWithNode: await findNamespacesSharedWithNode(procRoot, root.pid),
    mountPoints: mounts.map((mount) => mount.mountPoint),
    layerProblem,
    unsavable: [
      ...(await findUnsavableDescriptors(procRoot, processes)),
      ...(await findWatches(procRoot, root.pid, processes, mounts, signal)).unnamed,
    ],
    multipathListeners: await findMultipathListeners(procRoot, root.pid, processes),
    layerBytes: layerProblem === undefined ? await layerBytes(options, mounts, signal) : 0,
  };
}

/** The facts of all containers as those of one source. */
function together(all: readonly ContainerFacts[]): ContainerFacts {
  const union = <T>(pick: (facts: ContainerFacts) => readonly T[]): readonly T[] => [
    ...new Set(all.flatMap(pick)),
  ];
  const sum = (pick: (facts: ContainerFacts) => number): number =>
    all.reduce((total, facts) => total + pick(facts), 0);
  return {
    processes: all.flatMap(({ processes }) => processes),
    sharedWithNode: union((facts) => facts.sharedWithNode),
    mountPoints: union((facts) => facts.mountPoints),
    layerProblem: all.find(({ layerProblem }) => layerProblem !== undefined)?.layerProblem,
    unsavable: union((facts) => facts.unsavable),
    multipathListeners: union((facts) => facts.multipathListeners),
    memoryBytes: sum((facts) => facts.memoryBytes),
    layerBytes: sum((facts) => facts.layerBytes),
  };
}

/** Space the writable layer takes. */
async function layerBytes(
  options: CriuOptions,
  mounts: readonly Mount[],
  signal: AbortSignal,
): Promise<number> {
  const directory = upperDirectoryOf(mounts, options.runtimeRoots);
  return directory === undefined ? 0 : spaceTaken(`${options.hostRoot}${directory}`, signal);
}

/** Space that the volumes to be captured take, each counted once. */
async function volumeBytes(
  { procRoot, hostRoot, kubeletDirectory }: CriuOptions,
  podUID: string,
  volumes: readonly PlannedVolume[],
  signal: AbortSignal,
): Promise<number> {
  const sizes = await Promise.all(
    volumes.map(({ name, from, container }) => {
      if (from === 'sharedMemory') return sharedMemoryBytes(procRoot, container.root.pid);
      const at = emptyDirDirectory({ hostRoot, kubeletDirectory, podUID, volume: name });
      return spaceTaken([at.base, ...at.below].join('/'), signal);
    }),
  );
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** Space a directory takes; du follows no link. What cannot be read counts as nothing. */
async function spaceTaken(directory: string, signal: AbortSignal): Promise<number> {
  const result = await run(['du', '-sx', '--block-size=1', '--', directory], { signal });
  return Number.parseInt(result.stdout, 10) || 0;
}
