import { controlVolume } from '../../core/api/names.ts';
import type { Pod } from '../../core/api/workload.ts';
import { readMounts } from '../capture/criu/source.ts';
import { findVolume } from '../capture/criu/volumes.ts';
import { restoredRoots } from '../capture/resolve.ts';
import { containerOfCgroups, parseCgroup } from '../proc/cgroup-text.ts';
import type { ProcessIdentity } from '../proc/identity.ts';
import {
  hasEnded,
  isAlive,
  listPids,
  readProc,
  readStat,
  readStatus,
} from '../proc/process-table.ts';
import type { RestoreDeps } from './deps.ts';

/** The init of a placeholder's container, and the container's ID by the name of its cgroup. */
export type PlaceholderInit = {
  readonly process: ProcessIdentity;
  readonly containerID: string | undefined;
};

/** The processes of placeholders through /proc. Needs to see the node's processes. */
export function nodePlaceholders(
  procRoot: string,
): Pick<RestoreDeps, 'end' | 'findInit' | 'findRestored'> {
  return {
    findInit: (pod, container, ticks) => findInit(procRoot, pod, container, ticks),
    end: async (placeholder) => {
      if (await isAlive(procRoot, placeholder)) process.kill(placeholder.pid, 'SIGKILL');
    },
    findRestored: async (placeholder, pid) =>
      (await restoredRoots(procRoot, placeholder)).find(({ number }) => number === pid)?.root,
  };
}

/**
 * The ticks are the pod's own word, and only say where to look: what is found is pid 1 of a container, and has the control volume of this very pod
 * mounted as this container has it. So nothing has to be known of the pod's status, which the kubelet brings up to date a second later.
 */
async function findInit(
  procRoot: string,
  pod: Pod,
  container: string,
  ticks: number,
): Promise<PlaceholderInit | undefined> {
  const ownDepth = (await readStatus(procRoot, process.pid))?.namespacePids.length ?? 1;
  const nodeMounts = await readMounts(procRoot, 1);
  const began = await Promise.all(
    (await listPids(procRoot)).map(async (pid) => {
      const stat = await readStat(procRoot, pid);
      return stat !== undefined && stat.startTicks === ticks && !hasEnded(stat) ? [pid] : [];
    }),
  );
  for (const pid of began.flat()) {
    const numbers = (await readStatus(procRoot, pid))?.namespacePids ?? [];
    if (numbers.length !== ownDepth + 1 || numbers.at(-1) !== 1) continue;
    const mount = (await readMounts(procRoot, pid)).find(
      ({ mountPoint }) => mountPoint === controlVolume.mountPath,
    );
    if (mount === undefined) continue;
    const volume = findVolume(mount, nodeMounts, pod.metadata.uid);
    if (volume?.plugin !== 'kubernetes.io~empty-dir') continue;
    if (volume.name !== controlVolume.name || volume.subPath !== container) continue;
    const init = { pid, startTicks: ticks };
    const cgroup = (await readProc(`${procRoot}/${pid}/cgroup`)) ?? '';
    // What was read is of one process: it began before all of it, and still lives.
    if (!(await isAlive(procRoot, init))) continue;
    return { process: init, containerID: containerOfCgroups(parseCgroup(cgroup)) };
  }
  return undefined;
}
