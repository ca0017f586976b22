import type { ProcessIdentity } from '../../proc/identity.ts';
import { countMultipathSockets, parseListeners } from '../../proc/net-text.ts';
import {
  listProc,
  readProc,
  readProcLink,
  readStatus,
  readTree,
} from '../../proc/process-table.ts';
import type { Descriptor, ProcessFacts } from '../facts.ts';

/** The processes of the source with what they hold, and the memory a dump of them would write, in bytes. */
export async function readProcessFacts(
  procRoot: string,
  root: ProcessIdentity,
): Promise<{ readonly processes: readonly ProcessFacts[]; readonly memoryBytes: number }> {
  const processes: ProcessFacts[] = [];
  let memoryBytes = 0;
  for (const { pid, command } of await readTree(procRoot, root)) {
    const status = await readStatus(procRoot, pid);
    // Ended between the two looks: nothing to hold against it.
    if (status === undefined) continue;
    // Pages shared by a fork are counted once for each process: too much rather than too little.
    memoryBytes += status.anonymousBytes + status.sharedMemoryBytes + status.swapBytes;
    processes.push({
      pid,
      command,
      tracerPid: status.tracerPid,
      descriptors: await readDescriptors(procRoot, pid),
      mappedDevices: mappedDevices((await readProc(`${procRoot}/${pid}/maps`)) ?? ''),
    });
  }
  return { processes, memoryBytes };
}

async function readDescriptors(procRoot: string, pid: number): Promise<readonly Descriptor[]> {
  const directory = `${procRoot}/${pid}/fd`;
  const found = await Promise.all(
    (await listProc(directory)).map(async (name) => ({
      fd: Number(name),
      target: await readProcLink(`${directory}/${name}`),
    })),
  );
  return found.flatMap(({ fd, target }) => (target === undefined ? [] : [{ fd, target }]));
}

/** Files of /dev in /proc/PID/maps, each once. Shared anonymous memory shows as /dev/zero and is none. */
export function mappedDevices(maps: string): readonly string[] {
  const paths = new Set<string>();
  for (const line of maps.split('\n')) {
    const path = /^\S+ \S+ \S+ \S+ \d+\s+(\/dev\/.*)$/.exec(line)?.[1];
    if (path !== undefined) paths.add(path);
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
