import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { kernelName } from './paths.ts';
import { until } from './until.ts';

/** One hierarchy of the host: where it is mounted and the options with which a node mounts it again. */
export type Hierarchy = { readonly mountPoint: string; readonly options: string };

/** How this machine arranges control groups: v1 hierarchies, or the single one of v2. */
export type CgroupLayout = { readonly version: 1 | 2; readonly hierarchies: readonly Hierarchy[] };

const perMountFlags = new Set(['rw', 'ro', 'xattr', 'clone_children']);

/** Layout from the text of /proc/self/mountinfo. v1 wins when both exist: then v2 has no controllers. */
export function parseCgroupLayout(mountinfo: string): CgroupLayout {
  const v1: Hierarchy[] = [];
  const v2: Hierarchy[] = [];
  for (const line of mountinfo.split('\n')) {
    const [before, after] = line.split(' - ');
    const mountPoint = before?.split(' ')[4];
    const [type, , superOptions] = after?.split(' ') ?? [];
    if (mountPoint === undefined) continue;
    if (type === 'cgroup2') v2.push({ mountPoint, options: '' });
    if (type === 'cgroup' && !v1.some((known) => known.mountPoint === mountPoint)) {
      v1.push({ mountPoint, options: hierarchyOptions(superOptions ?? '') });
    }
  }
  const [unified] = v2;
  if (v1.some((it) => it.options.split(',').includes('memory'))) {
    return { version: 1, hierarchies: v1 };
  }
  if (unified !== undefined) return { version: 2, hierarchies: [unified] };
  throw new Error('no control groups are mounted below /sys/fs/cgroup; a node cannot run without');
}

function hierarchyOptions(superOptions: string): string {
  const kept = superOptions
    .split(',')
    .filter((it) => !perMountFlags.has(it) && !it.startsWith('release_agent='));
  const named = kept.find((it) => it.startsWith('name='));
  return named === undefined ? kept.join(',') : `none,${named}`;
}

/** Layout of this machine. */
export async function readCgroupLayout(): Promise<CgroupLayout> {
  return parseCgroupLayout(await readFile('/proc/self/mountinfo', 'utf8'));
}

/** Folder of a node in each hierarchy, for joining. */
export const nodeCgroups = (layout: CgroupLayout, bed: string, node: string): readonly string[] =>
  layout.hierarchies.map((it) => join(it.mountPoint, kernelName(bed), node));

/** Makes the bed's own cgroup and below it the node's, in every hierarchy. */
export async function createNodeCgroups(
  layout: CgroupLayout,
  bed: string,
  node: string,
): Promise<void> {
  for (const { mountPoint, options } of layout.hierarchies) {
    const parent = join(mountPoint, kernelName(bed));
    const child = join(parent, node);
    if (layout.version === 2) await delegate(mountPoint);
    await mkdir(child, { recursive: true });
    if (layout.version === 2) await delegate(parent);
    if (options.split(',').includes('cpuset')) {
      await inheritCpuset(mountPoint, parent); // a new v1 cpuset is empty and takes no process
      await inheritCpuset(parent, child);
    }
  }
}

async function inheritCpuset(from: string, to: string): Promise<void> {
  for (const file of ['cpuset.cpus', 'cpuset.mems']) {
    await writeFile(join(to, file), await readFile(join(from, file), 'utf8'));
  }
}

/** Hands every controller of a v2 cgroup to its children. */
export async function delegate(path: string): Promise<void> {
  const controllers = (await readFile(join(path, 'cgroup.controllers'), 'utf8')).trim();
  if (controllers === '') return;
  const wanted = controllers.split(' ').map((it) => `+${it}`);
  await writeFile(join(path, 'cgroup.subtree_control'), wanted.join(' '));
}

/**
 * v2 only: moves what runs in the node's cgroup into its leaf `init`, because a cgroup that hands
 * out controllers may hold no processes itself.
 */
export async function settleUnifiedNode(cgroup: string): Promise<void> {
  const leaf = join(cgroup, 'init');
  await mkdir(leaf, { recursive: true });
  await until(
    () => `${cgroup} to be empty of processes`,
    async () => {
      const pids = await processesIn(cgroup);
      for (const pid of pids) {
        await writeFile(join(leaf, 'cgroup.procs'), String(pid)).catch(() => undefined); // it ended
      }
      return pids.length === 0 ? true : undefined;
    },
    5_000,
  );
  await delegate(cgroup);
}

async function processesIn(cgroup: string): Promise<readonly number[]> {
  const text = await readFile(join(cgroup, 'cgroup.procs'), 'utf8').catch(() => '');
  return text.split('\n').filter(Boolean).map(Number);
}

/** Every cgroup folder of the bed, children before parents. */
export async function bedCgroups(layout: CgroupLayout, bed: string): Promise<readonly string[]> {
  const found: string[] = [];
  for (const { mountPoint } of layout.hierarchies) {
    await collect(join(mountPoint, kernelName(bed)), found);
  }
  return found;
}

async function collect(folder: string, found: string[]): Promise<void> {
  const entries = await readdir(folder, { withFileTypes: true }).catch(() => undefined);
  if (entries === undefined) return;
  for (const entry of entries)
    if (entry.isDirectory()) await collect(join(folder, entry.name), found);
  found.push(folder);
}

/** Pids of all processes in any cgroup of the bed. */
export async function bedCgroupProcesses(
  layout: CgroupLayout,
  bed: string,
): Promise<readonly number[]> {
  const folders = await bedCgroups(layout, bed);
  const pids = await Promise.all(folders.map(processesIn));
  return [...new Set(pids.flat())];
}

/** Removes the bed's cgroups; they refuse while the last processes are still being reaped. */
export async function removeBedCgroups(layout: CgroupLayout, bed: string): Promise<void> {
  await until(
    () => `the removal of the cgroups of bed ${bed}`,
    async () => {
      for (const folder of await bedCgroups(layout, bed)) await rmdir(folder);
      return true;
    },
    15_000,
  );
}
