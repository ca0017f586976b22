import type { ProcessIdentity } from '../../proc/identity.ts';
import type { Mount } from '../../proc/mountinfo.ts';
import { countMultipathSockets, parseListeners } from '../../proc/net-text.ts';
import {
  hasEnded,
  listPids,
  listProc,
  readProc,
  readProcLink,
  readStat,
  readStatus,
  readTree,
} from '../../proc/process-table.ts';
import type { ProcessFacts, SourceFacts } from '../facts.ts';
import { readDescriptors } from './descriptors.ts';

/** The processes of the source with what they hold, and the memory a dump of them would write, in bytes. */
export async function readProcessFacts(
  procRoot: string,
  root: ProcessIdentity,
  mounts: readonly Mount[],
): Promise<{ readonly processes: readonly ProcessFacts[]; readonly memoryBytes: number }> {
  const processes: ProcessFacts[] = [];
  let memoryBytes = 0;
  for (const { pid, command } of await readTree(procRoot, root)) {
    const status = await readStatus(procRoot, pid);
    // Ended between the two looks: nothing to hold against it.
    if (status === undefined) continue;
    // Pages shared by a fork are counted once for each process: too much rather than too little.
    memoryBytes += status.anonymousBytes + status.sharedMemoryBytes + status.swapBytes;
    const maps = (await readProc(`${procRoot}/${pid}/maps`)) ?? '';
    processes.push({
      pid,
      command,
      tracer: await findTracer(procRoot, pid),
      descriptors: await readDescriptors(procRoot, pid, mounts),
      mappedDevices: mappedDevices(maps),
      mappedObjects: mappedObjects(maps),
      nestedNamespaces: await findNestedNamespaces(procRoot, pid, root.pid),
    });
  }
  return { processes, memoryBytes };
}

/** A tracer may hold any one thread, and is said of that thread only. */
async function findTracer(procRoot: string, pid: number): Promise<ProcessFacts['tracer']> {
  for (const thread of await listProc(`${procRoot}/${pid}/task`)) {
    const status = await readStatus(`${procRoot}/${pid}/task`, Number(thread));
    if (status === undefined || status.tracerPid === 0) continue;
    const command = (await readStatus(procRoot, status.tracerPid))?.name ?? 'unknown';
    return { pid: status.tracerPid, command };
  }
  return undefined;
}

/** CRIU saves mount and network namespaces below the container's own, and no others. */
const neverNested = ['pid', 'user', 'ipc', 'uts'];

async function findNestedNamespaces(
  procRoot: string,
  pid: number,
  rootPid: number,
): Promise<readonly string[]> {
  const nested: string[] = [];
  for (const namespace of neverNested) {
    const own = await readProcLink(`${procRoot}/${pid}/ns/${namespace}`);
    const root = await readProcLink(`${procRoot}/${rootPid}/ns/${namespace}`);
    if (own !== undefined && root !== undefined && own !== root) nested.push(namespace);
  }
  return nested;
}

/** Processes in the PID namespace of the source that its first process did not start: CRIU leaves them out. */
export async function findProcessesBeside(
  procRoot: string,
  root: ProcessIdentity,
  processes: readonly ProcessFacts[],
): Promise<SourceFacts['processesBeside']> {
  const own = await readProcLink(`${procRoot}/${root.pid}/ns/pid`);
  const tree = new Set(processes.map(({ pid }) => pid));
  const beside = await Promise.all(
    (await listPids(procRoot)).map(async (pid) => {
      if (tree.has(pid) || (await readProcLink(`${procRoot}/${pid}/ns/pid`)) !== own) return [];
      const stat = await readStat(procRoot, pid);
      return stat === undefined || hasEnded(stat) ? [] : [{ pid, command: stat.command }];
    }),
  );
  return own === undefined ? [] : beside.flat();
}

/** Files of /dev in /proc/PID/maps, each once. Shared anonymous memory shows as /dev/zero and is none. */
export const mappedDevices = (maps: string): readonly string[] => mapped(maps, /^\/dev\//);

/** Kernel objects and secret memory in /proc/PID/maps, each once. */
export const mappedObjects = (maps: string): readonly string[] =>
  mapped(maps, /^(anon_inode:|\/secretmem\b)/);

function mapped(maps: string, wanted: RegExp): readonly string[] {
  const paths = new Set<string>();
  for (const line of maps.split('\n')) {
    const path = /^\S+ \S+ \S+ \S+ \d+\s+(\S.*)$/.exec(line)?.[1];
    if (path !== undefined && wanted.test(path)) paths.add(path);
  }
  return [...paths];
}

/** The addresses on which these processes listen with MPTCP: what Go servers do unless told otherwise. */
export async function findMultipathListeners(
  procRoot: string,
  pid: number,
  processes: readonly ProcessFacts[],
): Promise<readonly string[]> {
  const network = `${procRoot}/${pid}/net`;
  if (countMultipathSockets((await readProc(`${network}/protocols`)) ?? '') === 0) return [];
  const held = new Set(processes.flatMap((one) => one.descriptors.map(({ target }) => target)));
  const tables = await Promise.all(['tcp', 'tcp6'].map((name) => readProc(`${network}/${name}`)));
  return tables
    .flatMap((table) => parseListeners(table ?? ''))
    .filter(({ inode, references }) => references > 1 && held.has(`socket:[${inode}]`))
    .map(({ address }) => address);
}

/**
 * True for a process whose user namespace is not the node's. In one of its own any program may mount, also an overlay over its root whose
 * `upperdir` names a directory that the agent would then read on the node: its mount table must not be believed.
 */
export async function hasOwnUserNamespace(procRoot: string, pid: number): Promise<boolean> {
  const own = await readProcLink(`${procRoot}/${pid}/ns/user`);
  return own !== (await readProcLink(`${procRoot}/1/ns/user`));
}

const podFieldOfNamespace = { net: 'hostNetwork', ipc: 'hostIPC', pid: 'hostPID' } as const;

/** The pod fields that gave the source a namespace of the node's; pid 1 is the node's. */
export async function findNamespacesSharedWithNode(
  procRoot: string,
  pid: number,
): Promise<readonly string[]> {
  const shared: string[] = [];
  for (const [namespace, field] of Object.entries(podFieldOfNamespace)) {
    const own = await readProcLink(`${procRoot}/${pid}/ns/${namespace}`);
    const node = await readProcLink(`${procRoot}/1/ns/${namespace}`);
    if (own !== undefined && own === node) shared.push(field);
  }
  return shared;
}
