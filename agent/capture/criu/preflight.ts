import { type Mount, parseMountinfo, visibleMounts } from '../../proc/mountinfo.ts';
import { readProc } from '../../proc/process-table.ts';
import { run } from '../../proc/run.ts';
import type { BackendProbe, Blocker, CaptureRequest, SourceContainer } from '../backend.ts';
import { estimatedBytes, type SourceFacts } from '../facts.ts';
import { findBlockers } from '../preflight.ts';
import type { CriuOptions } from './backend.ts';
import {
  findMultipathListeners,
  findNamespacesSharedWithNode,
  readProcessFacts,
} from './process-facts.ts';
import { findRoom, sharedMemoryBytes } from './room.ts';
import { upperDirectoryOf, upperDirectoryProblem } from './source.ts';
import { findVolumes } from './volumes.ts';

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
  const nodeMounts = await readMounts(options.procRoot, 1);
  const containers = await Promise.all(
    request.containers.map((container) =>
      observeContainer(options, container, request.podUID, nodeMounts, signal),
    ),
  );
  return {
    probe,
    ...together(containers),
    room: await findRoom([
      { what: 'the staging directory', directory: request.stagingDirectory },
      ...(options.storeDirectory === undefined
        ? []
        : [{ what: 'the store', directory: options.storeDirectory }]),
    ]),
  };
}

type ContainerFacts = Omit<SourceFacts, 'probe' | 'room'>;

async function observeContainer(
  options: CriuOptions,
  { root }: SourceContainer,
  podUID: string,
  nodeMounts: readonly Mount[],
  signal: AbortSignal,
): Promise<ContainerFacts> {
  const { procRoot } = options;
  const mounts = await readMounts(procRoot, root.pid);
  const { processes, memoryBytes } = await readProcessFacts(procRoot, root);
  const layerProblem = upperDirectoryProblem(mounts, options.runtimeRoots);
  return {
    processes,
    memoryBytes,
    sharedWithNode: await findNamespacesSharedWithNode(procRoot, root.pid),
    mountPoints: mounts.map((mount) => mount.mountPoint),
    volumes: findVolumes(mounts, nodeMounts, podUID),
    layerProblem,
    multipathListeners: await findMultipathListeners(procRoot, root.pid, processes),
    layerBytes: layerProblem === undefined ? await layerBytes(options, mounts, signal) : 0,
    sharedMemoryBytes: await sharedMemoryBytes(procRoot, root.pid),
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
    volumes: all.flatMap(({ volumes }) => volumes),
    layerProblem: all.find(({ layerProblem }) => layerProblem !== undefined)?.layerProblem,
    multipathListeners: union((facts) => facts.multipathListeners),
    memoryBytes: sum((facts) => facts.memoryBytes),
    layerBytes: sum((facts) => facts.layerBytes),
    sharedMemoryBytes: sum((facts) => facts.sharedMemoryBytes),
  };
}

async function readMounts(procRoot: string, pid: number): Promise<readonly Mount[]> {
  return visibleMounts(parseMountinfo((await readProc(`${procRoot}/${pid}/mountinfo`)) ?? ''));
}

/** Space the writable layer takes; du follows no link. What cannot be read counts as nothing. */
async function layerBytes(
  options: CriuOptions,
  mounts: readonly Mount[],
  signal: AbortSignal,
): Promise<number> {
  const directory = `${options.hostRoot}${upperDirectoryOf(mounts, options.runtimeRoots)}`;
  const result = await run(['du', '-sx', '--block-size=1', '--', directory], { signal });
  return Number.parseInt(result.stdout, 10) || 0;
}
