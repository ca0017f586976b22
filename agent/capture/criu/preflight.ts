import { type Mount, parseMountinfo, visibleMounts } from '../../proc/mountinfo.ts';
import { readProc } from '../../proc/process-table.ts';
import type { BackendProbe, CaptureRequest, Preflight } from '../backend.ts';
import { estimatedBytes, type SourceFacts } from '../facts.ts';
import { foresee } from '../outlook.ts';
import { findBlockers } from '../preflight.ts';
import type { CriuOptions } from './backend.ts';
import { readLayer } from './layer.ts';
import { findFreezer, findTracingProblem } from './node-facts.ts';
import { findOwnMounts } from './own-mounts.ts';
import {
  findMultipathListeners,
  findNamespacesSharedWithNode,
  findProcessesBeside,
  hasOwnUserNamespace,
  readProcessFacts,
} from './process-facts.ts';
import { findRoom, sharedMemoryBytes } from './room.ts';
import { findOutsideConnections } from './sockets.ts';
import { upperDirectoryOf, upperDirectoryProblem } from './source.ts';
import { findVolumes } from './volumes.ts';

/** Observes the running source, judges, and estimates: freezes nothing, changes nothing. */
export async function preflight(
  options: CriuOptions,
  probe: BackendProbe,
  request: CaptureRequest,
  signal: AbortSignal,
): Promise<Preflight> {
  const facts = await observe(options, probe, request, signal);
  return {
    blockers: findBlockers(facts),
    estimatedBytes: estimatedBytes(facts),
    outlook: foresee(request.container.name, facts),
  };
}

async function observe(
  options: CriuOptions,
  probe: BackendProbe,
  request: CaptureRequest,
  signal: AbortSignal,
): Promise<SourceFacts> {
  const { procRoot } = options;
  const { root } = request.container;
  const mounts = await readMounts(procRoot, root.pid);
  const nodeMounts = await readMounts(procRoot, 1);
  const { processes, memoryBytes } = await readProcessFacts(procRoot, root, mounts);
  const volumes = findVolumes(mounts, nodeMounts, request.podUID);
  const layerProblem = upperDirectoryProblem(mounts, options.runtimeRoots);
  return {
    probe,
    processes,
    processesBeside: await findProcessesBeside(procRoot, root, processes),
    memoryBytes,
    sharedWithNode: await findNamespacesSharedWithNode(procRoot, root.pid),
    mountPoints: mounts.map((mount) => mount.mountPoint),
    volumes,
    ownMounts: findOwnMounts(
      mounts,
      volumes.map((volume) => volume.path),
    ),
    ownUserNamespace: await hasOwnUserNamespace(procRoot, root.pid),
    frozenBy: await findFreezer(procRoot, options.cgroupRoot, root.pid),
    tracingProblem: await findTracingProblem(procRoot),
    layerProblem,
    multipathListeners: await findMultipathListeners(procRoot, root.pid, processes),
    ...(await findOutsideConnections(procRoot, root.pid, processes, signal)),
    ...(layerProblem === undefined
      ? await readLayer(
          `${options.hostRoot}${upperDirectoryOf(mounts, options.runtimeRoots)}`,
          signal,
        )
      : { layerBytes: 0, layerDevices: [] }),
    sharedMemoryBytes: await sharedMemoryBytes(procRoot, root.pid),
    room: await findRoom([
      { what: 'the staging directory', directory: request.stagingDirectory },
      ...(options.storeDirectory === undefined
        ? []
        : [{ what: 'the store', directory: options.storeDirectory }]),
    ]),
  };
}

async function readMounts(procRoot: string, pid: number): Promise<readonly Mount[]> {
  return visibleMounts(parseMountinfo((await readProc(`${procRoot}/${pid}/mountinfo`)) ?? ''));
}
