import { Failure } from '../../core/failure.ts';
import { containerOfCgroups, parseCgroup } from '../proc/cgroup-text.ts';
import type { ProcessIdentity } from '../proc/identity.ts';
import { identify, listPids, readProc, readStatus, readTree } from '../proc/process-table.ts';
import type { SourceContainer } from './backend.ts';

/** A container as pod status names it: `containerd://<64 hex>`, `cri-o://<64 hex>`. */
export type NamedContainer = { readonly name: string; readonly containerID: string };

/** A process of a container and how many PID namespaces it is in; `innermostPid` is its pid in the innermost. */
type Candidate = {
  readonly pid: number;
  readonly depth: number;
  readonly innermostPid: number;
};

/**
 * Finds the init process of each container from /proc alone, without a runtime socket. Needs to see the node's processes.
 * Throws Failure 'terminal' ContainerNotResolved naming the container and what was found instead.
 */
export async function resolveContainers(
  procRoot: string,
  containers: readonly NamedContainer[],
): Promise<readonly SourceContainer[]> {
  const byContainer = await processesByContainer(procRoot);
  const own = await readStatus(procRoot, process.pid);
  const ownDepth = own?.namespacePids.length ?? 1;
  return Promise.all(
    containers.map(async ({ name, containerID }) => {
      const id = parseContainerID(containerID);
      const candidates = id === undefined ? [] : (byContainer.get(id) ?? []);
      const pid = chooseInit(name, containerID, candidates, ownDepth);
      const root = await identify(procRoot, pid);
      if (root === undefined) throw notResolved(name, `its process ${pid} ended meanwhile`);
      return { name, containerID, root };
    }),
  );
}

/**
 * The same for containers that were restored: their init only stands for the restored root, which is its child and pid 1 of a PID namespace
 * one deeper. Throws Failure 'terminal' ContainerNotResolved where there is none.
 */
export async function resolveRestored(
  procRoot: string,
  containers: readonly NamedContainer[],
): Promise<readonly SourceContainer[]> {
  const inits = await resolveContainers(procRoot, containers);
  return Promise.all(
    inits.map(async ({ name, containerID, root: init }) => {
      const [restored] = await restoredRoots(procRoot, init);
      if (restored !== undefined) return { name, containerID, root: restored.root };
      throw notResolved(name, 'its process has not been restored');
    }),
  );
}

/** The roots that live beside a placeholder's init, each with its number in the init's PID namespace. */
export async function restoredRoots(
  procRoot: string,
  init: ProcessIdentity,
): Promise<readonly { readonly root: ProcessIdentity; readonly number: number }[]> {
  const initDepth = (await readStatus(procRoot, init.pid))?.namespacePids.length ?? 0;
  const roots: { readonly root: ProcessIdentity; readonly number: number }[] = [];
  for (const { pid, startTicks, parentPid } of await readTree(procRoot, init)) {
    if (parentPid !== init.pid) continue;
    const numbers = (await readStatus(procRoot, pid))?.namespacePids ?? [];
    if (numbers.length !== initDepth + 1 || numbers.at(-1) !== 1) continue;
    roots.push({ root: { pid, startTicks }, number: numbers.at(-2) ?? 0 });
  }
  return roots;
}

/** `containerd://<id>` -> the id; undefined for anything that is not 64 hex digits. */
export function parseContainerID(text: string): string | undefined {
  return /^[a-z0-9.-]+:\/\/([0-9a-f]{64})$/.exec(text)?.[1];
}

/** The container's init: pid 1 of a PID namespace exactly one deeper than ours. Throws Failure. */
export function chooseInit(
  name: string,
  containerID: string,
  candidates: readonly Candidate[],
  ownDepth: number,
): number {
  const [init, second] = candidates.filter(
    (candidate) => candidate.depth === ownDepth + 1 && candidate.innermostPid === 1,
  );
  if (init !== undefined && second === undefined) return init.pid;
  if (second !== undefined) throw notResolved(name, 'more than one process is its init');
  if (candidates.length === 0) throw notResolved(name, `no process belongs to ${containerID}`);
  if (candidates.every((candidate) => candidate.depth === ownDepth)) {
    throw notResolved(name, "it runs in the node's PID namespace (hostPID)");
  }
  throw notResolved(
    name,
    'none of its processes is pid 1 (shareProcessNamespace, or a nested one)',
  );
}

function notResolved(name: string, why: string): Failure {
  return new Failure('terminal', 'ContainerNotResolved', `container ${name} not found: ${why}`);
}

async function processesByContainer(
  procRoot: string,
): Promise<ReadonlyMap<string, readonly Candidate[]>> {
  const found = new Map<string, Candidate[]>();
  const pids = await listPids(procRoot);
  await Promise.all(
    pids.map(async (pid) => {
      const cgroup = await readProc(`${procRoot}/${pid}/cgroup`);
      const id = cgroup === undefined ? undefined : containerOfCgroups(parseCgroup(cgroup));
      if (id === undefined) return;
      const status = await readStatus(procRoot, pid);
      const innermostPid = status?.namespacePids.at(-1);
      if (status === undefined || innermostPid === undefined) return;
      const list = found.get(id) ?? [];
      list.push({ pid, depth: status.namespacePids.length, innermostPid });
      found.set(id, list);
    }),
  );
  return found;
}
