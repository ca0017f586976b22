import type { BackendProbe, CaptureRequest, Preflight } from '../backend.ts';
import { emptyDirDirectory } from '../empty-dir.ts';
import { estimatedBytes, type SourceFacts } from '../facts.ts';
import { foresee } from '../outlook.ts';
import { findBlockers } from '../preflight.ts';
import type { CriuOptions } from './backend.ts';
import { readFiles } from './captured-files.ts';
import { type ContainerFacts, observeContainer } from './container-facts.ts';
import { type PlannedVolume, planPod } from './mount-plan.ts';
import { findTracingProblem } from './node-facts.ts';
import { findRoom, sharedMemoryBytes } from './room.ts';
import { readMounts } from './source.ts';
import { tcpBlockers } from './tcp-blockers.ts';

/** Observes the running source, judges, and estimates: freezes nothing, changes nothing. */
export async function preflight(
  options: CriuOptions,
  probe: BackendProbe,
  request: CaptureRequest,
  signal: AbortSignal,
): Promise<Preflight> {
  const facts = await observe(options, probe, request, signal);
  const connections = await tcpBlockers(options, request.tcp, facts.tcpConnections, signal);
  return {
    blockers: [...findBlockers(facts), ...connections],
    estimatedBytes: estimatedBytes(facts),
    outlook: foresee(facts),
  };
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
    containers.map(({ container, mounts }, index) =>
      observeContainer(
        options,
        container,
        { mounts, volumePaths: volumePathsOf(plan.mounts[index] ?? []) },
        signal,
      ),
    ),
  );
  return {
    probe,
    ...together(facts),
    tracingProblem: await findTracingProblem(procRoot),
    volumes: plan.volumes.map(({ name, mount: { mountPoint, fileSystem } }) => ({
      ...{ name, path: mountPoint, fileSystem },
    })),
    missingVolumes: plan.missing,
    ...(await readVolumes(options, request.podUID, plan.volumes, signal)),
    room: await findRoom([
      { what: 'the staging directory', directory: request.stagingDirectory },
      ...(options.storeDirectory === undefined
        ? []
        : [{ what: 'the store', directory: options.storeDirectory }]),
    ]),
  };
}

const volumePathsOf = (
  mounts: readonly { readonly path: string; readonly volume?: string | undefined }[],
): readonly string[] => mounts.filter(({ volume }) => volume !== undefined).map(({ path }) => path);

/** The facts of all containers as those of one source. */
function together(all: readonly ContainerFacts[]): ContainerFacts {
  const every = <T>(pick: (facts: ContainerFacts) => readonly T[]): readonly T[] => [
    ...new Set(all.flatMap(pick)),
  ];
  const first = <T>(pick: (facts: ContainerFacts) => T | undefined): T | undefined =>
    all.map(pick).find((found) => found !== undefined);
  const sum = (pick: (facts: ContainerFacts) => number): number =>
    all.reduce((total, facts) => total + pick(facts), 0);
  return {
    processes: every((facts) => facts.processes),
    processesBeside: every((facts) => facts.processesBeside),
    sharedWithNode: every((facts) => facts.sharedWithNode),
    mountPoints: every((facts) => facts.mountPoints),
    ownMounts: every((facts) => facts.ownMounts),
    ownUserNamespace: all.some((facts) => facts.ownUserNamespace),
    frozenBy: first((facts) => facts.frozenBy),
    layerProblem: first((facts) => facts.layerProblem),
    layerDevices: every((facts) => facts.layerDevices),
    unsavable: every((facts) => facts.unsavable),
    multipathListeners: every((facts) => facts.multipathListeners),
    multipathConnections: every((facts) => facts.multipathConnections),
    unixPeersOutside: every((facts) => facts.unixPeersOutside),
    tcpConnections: every((facts) => facts.tcpConnections),
    memoryBytes: sum((facts) => facts.memoryBytes),
    layerBytes: sum((facts) => facts.layerBytes),
  };
}

/** Space that the volumes to be captured take, each counted once, and device nodes in them. */
async function readVolumes(
  { procRoot, hostRoot, kubeletDirectory }: CriuOptions,
  podUID: string,
  volumes: readonly PlannedVolume[],
  signal: AbortSignal,
): Promise<Pick<SourceFacts, 'volumeBytes' | 'volumeDevices'>> {
  const found = await Promise.all(
    volumes.map(async ({ name, from, container, mount }) => {
      if (from === 'sharedMemory') {
        return { bytes: await sharedMemoryBytes(procRoot, container.root.pid), devices: [] };
      }
      const at = emptyDirDirectory({ hostRoot, kubeletDirectory, podUID, volume: name });
      const { bytes, devices } = await readFiles([at.base, ...at.below].join('/'), signal);
      return { bytes, devices: devices.map((path) => `${mount.mountPoint}${path}`) };
    }),
  );
  return {
    volumeBytes: found.reduce((sum, { bytes }) => sum + bytes, 0),
    volumeDevices: found.flatMap(({ devices }) => devices),
  };
}
