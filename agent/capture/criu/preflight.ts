import { type Mount, parseMountinfo, visibleMounts } from '../../proc/mountinfo.ts';
import { readProc } from '../../proc/process-table.ts';
import { run } from '../../proc/run.ts';
import type { BackendProbe, Blocker, CaptureRequest } from '../backend.ts';
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
  const { procRoot } = options;
  const { root } = request.container;
  const mounts = await readMounts(procRoot, root.pid);
  const nodeMounts = await readMounts(procRoot, 1);
  const { processes, memoryBytes } = await readProcessFacts(procRoot, root);
  const layerProblem = upperDirectoryProblem(mounts, options.runtimeRoots);
  return {
    probe,
    processes,
    memoryBytes,
    sharedWithNode: await findNamespacesSharedWithNode(procRoot, root.pid),
    mountPoints: mounts.map((mount) => mount.mountPoint),
    volumes: findVolumes(mounts, nodeMounts, request.podUID),
    layerProblem,
    multipathListeners: await findMultipathListeners(procRoot, root.pid, processes),
    layerBytes: layerProblem === undefined ? await layerBytes(options, mounts, signal) : 0,
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
