import type { Mount } from '../../proc/mountinfo.ts';
import type { SourceContainer } from '../backend.ts';
import type { SourceFacts } from '../facts.ts';
import type { CriuOptions } from './backend.ts';
import { readFiles } from './captured-files.ts';
import { findUnsavableDescriptors } from './descriptor-details.ts';
import { findFreezer } from './node-facts.ts';
import { findOwnMounts } from './own-mounts.ts';
import {
  findMultipathListeners,
  findNamespacesSharedWithNode,
  findProcessesBeside,
  hasOwnUserNamespace,
  readProcessFacts,
} from './process-facts.ts';
import { findOutsideConnections } from './sockets.ts';
import { upperDirectoryOf, upperDirectoryProblem } from './source.ts';
import { findWatches } from './watches.ts';

/** What is known of each container alone: CRIU dumps each by itself, so that a connection between two of them leads outside as well. */
export type ContainerFacts = Omit<
  SourceFacts,
  | 'probe'
  | 'room'
  | 'volumes'
  | 'missingVolumes'
  | 'volumeBytes'
  | 'volumeDevices'
  | 'tracingProblem'
>;

/** Reads one running container. `volumePaths`: where its mounts are volumes of the pod. */
export async function observeContainer(
  options: CriuOptions,
  { root }: SourceContainer,
  {
    mounts,
    volumePaths,
  }: { readonly mounts: readonly Mount[]; readonly volumePaths: readonly string[] },
  signal: AbortSignal,
): Promise<ContainerFacts> {
  const { procRoot } = options;
  const { processes, memoryBytes } = await readProcessFacts(procRoot, root, mounts);
  const layerProblem = upperDirectoryProblem(mounts, options.runtimeRoots);
  return {
    processes,
    processesBeside: await findProcessesBeside(procRoot, root, processes),
    memoryBytes,
    sharedWithNode: await findNamespacesSharedWithNode(procRoot, root.pid),
    mountPoints: mounts.map((mount) => mount.mountPoint),
    ownMounts: findOwnMounts(mounts, volumePaths),
    ownUserNamespace: await hasOwnUserNamespace(procRoot, root.pid),
    frozenBy: await findFreezer(procRoot, options.cgroupRoot, root.pid),
    layerProblem,
    unsavable: [
      ...(await findUnsavableDescriptors(procRoot, processes)),
      ...(await findWatches(procRoot, root.pid, processes, mounts, signal)).unnamed,
    ],
    multipathListeners: await findMultipathListeners(procRoot, root.pid, processes),
    ...(await findOutsideConnections(procRoot, root.pid, processes, signal)),
    ...(await layerFacts(options, mounts, layerProblem, signal)),
  };
}

async function layerFacts(
  { hostRoot, runtimeRoots }: CriuOptions,
  mounts: readonly Mount[],
  problem: string | undefined,
  signal: AbortSignal,
): Promise<Pick<ContainerFacts, 'layerBytes' | 'layerDevices'>> {
  const directory = problem === undefined ? upperDirectoryOf(mounts, runtimeRoots) : undefined;
  if (directory === undefined) return { layerBytes: 0, layerDevices: [] };
  const { bytes, devices } = await readFiles(`${hostRoot}${directory}`, signal);
  return { layerBytes: bytes, layerDevices: devices };
}
