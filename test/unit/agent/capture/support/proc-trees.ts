import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A process as /proc shows it: pid, name, pids from the agent's namespace inwards, and the text of its cgroup file. */
export type ShownProcess = {
  readonly pid: number;
  readonly name: string;
  readonly namespacePids: readonly number[];
  readonly cgroup: string;
};

/** What a node's /proc shows, and where in it the container is. */
export type ProcTree = {
  readonly title: string;
  readonly containerID: string;
  readonly initPid: number;
  readonly processes: readonly ShownProcess[];
};

/** Writes the files that finding a container reads, with this very process as the agent. */
export async function writeProcTree(directory: string, tree: ProcTree): Promise<void> {
  const agent = { pid: process.pid, name: 'node', namespacePids: [process.pid], cgroup: '0::/\n' };
  for (const { pid, name, namespacePids, cgroup } of [...tree.processes, agent]) {
    const at = join(directory, String(pid));
    await mkdir(at);
    await writeFile(join(at, 'cgroup'), cgroup);
    await writeFile(join(at, 'status'), `Name:\t${name}\nNSpid:\t${namespacePids.join('\t')}\n`);
    const stat = `${pid} (${name}) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 ${pid * 10} 0 0\n`;
    await writeFile(join(at, 'stat'), stat);
  }
}

const shown = (
  pid: number,
  name: string,
  cgroup: string,
  ...within: readonly number[]
): ShownProcess => ({ pid, name, namespacePids: [pid, ...within], cgroup });

const sandbox = '87734e46032ff2fc23abb814445e6e6dd214a42c2b98e5f9f4c261b6dbbd1842';
const counter = '3ba1e8f5b36da3d2725c12cc382ff0618fd94a77002fc29b2a0d1eb5fab8a93c';
const agentContainer = 'a23b2f44fe9709ec4d6b606b8952e65376b58a00db708ad623b09007ac5c4d22';
const podUID = '77a7d3c4-6fa7-4bc0-b006-584e04af4b18';
const underscored = podUID.replaceAll('-', '_');

/** /proc/PID/cgroup under v1: the same path in every hierarchy, and cgroup v2's line, which has no controllers there. */
const everyHierarchy = (path: string, unified: string): string =>
  ['name=systemd', 'pids', 'blkio', 'freezer', 'devices', 'memory', 'cpuset', 'cpuacct', 'cpu']
    .map((controllers, index) => `${9 - index}:${controllers}:${path}\n`)
    .concat(`0::${unified}\n`)
    .join('');

const inPod = (id: string): string =>
  everyHierarchy(`/kubepods/besteffort/pod${podUID}/${id}`, '/');

/**
 * Recorded on Linux 6.18.44, cgroup v1 alone, kubelet 1.36.3 with the cgroupfs driver, containerd 2.1 and runc 1.3: a pod of one container beside an
 * agent, as their node shows them. The machine around the node is left out: its pid of each process, and the node's own cgroup above `/kubepods`.
 */
const recorded: ProcTree = {
  title: 'cgroup v1, cgroupfs driver, containerd (recorded)',
  containerID: `containerd://${counter}`,
  initPid: 432,
  processes: [
    shown(104, 'containerd', everyHierarchy('/', '/')),
    shown(153, 'kubelet', everyHierarchy('/', '/')),
    shown(380, 'containerd-shim', everyHierarchy('/', '/')),
    shown(408, 'sleep', inPod(sandbox), 1),
    shown(432, 'counter', inPod(counter), 1),
    shown(
      886,
      'MainThread',
      everyHierarchy(
        `/kubepods/burstable/pod2bb9839c-a9b0-4d11-878a-4dec6c41b2ad/${agentContainer}`,
        '/',
      ),
    ),
  ],
};

/** A pod of one container as the runtimes are documented to place it. */
function made(
  title: string,
  runtime: 'containerd' | 'cri-o',
  cgroupOf: (id: string) => string,
  ...more: readonly ShownProcess[]
): ProcTree {
  return {
    title: `${title} (made)`,
    containerID: `${runtime}://${counter}`,
    initPid: 432,
    processes: [
      shown(408, 'pause', cgroupOf(sandbox), 1),
      shown(432, 'counter', cgroupOf(counter), 1),
      shown(440, 'sh', cgroupOf(counter), 12),
      ...more,
    ],
  };
}

const slice = `kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod${underscored}.slice`;

/** All made from the documentation and the sources of the runtimes; none was run here. */
const fromDocumentation: readonly ProcTree[] = [
  made('cgroup v2, cgroupfs driver, containerd', 'containerd', (id) => {
    return `0::/kubepods/besteffort/pod${podUID}/${id}\n`;
  }),
  made('cgroup v2, systemd driver, containerd', 'containerd', (id) => {
    return `0::/${slice}/cri-containerd-${id}.scope\n`;
  }),
  made('cgroup v1, systemd driver, containerd', 'containerd', (id) => {
    return everyHierarchy(
      `/${slice}/cri-containerd-${id}.scope`,
      '/system.slice/containerd.service',
    );
  }),
  made(
    'cgroup v2, systemd driver, CRI-O with crun',
    'cri-o',
    (id) => `0::/${slice}/crio-${id}.scope/container\n`,
    shown(430, 'conmon', `0::/${slice}/crio-conmon-${counter}.scope\n`),
  ),
  made(
    'cgroup v1, cgroupfs driver, CRI-O',
    'cri-o',
    (id) => everyHierarchy(`/kubepods/besteffort/pod${podUID}/crio-${id}`, '/'),
    shown(
      430,
      'conmon',
      everyHierarchy(`/kubepods/besteffort/pod${podUID}/crio-conmon-${counter}`, '/'),
    ),
  ),
  made('a node in a container, systemd driver', 'containerd', (id) => {
    const below = slice.replaceAll('kubepods', 'kubelet-kubepods');
    return `0::/docker/${agentContainer}/kubelet.slice/${below}/cri-containerd-${id}.scope\n`;
  }),
  made('an agent in a cgroup namespace of its own', 'containerd', (id) => {
    return `0::/../../kubepods-besteffort-pod${underscored}.slice/cri-containerd-${id}.scope\n`;
  }),
];

export const procTrees: readonly ProcTree[] = [recorded, ...fromDocumentation];
