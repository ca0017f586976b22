import { lstat, mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { errorText, Failure } from '../../../core/failure.ts';

/** The cgroup above all of CRIU's, in every hierarchy. */
const parentName = 'cryopod';
const prefix = 'criu-';

/** A cgroup that exists in every hierarchy of the node. */
export type Cgroup = { readonly directories: readonly string[] };

/**
 * Makes `cryopod/criu-<name>` in every hierarchy: the one of cgroup v2, or each of v1 (named ones too). A container runtime ends what it
 * finds in the cgroups of a container it deletes; a process that was moved out survives. Throws Failure 'retry'.
 */
export async function makeCgroup(cgroupRoot: string, name: string): Promise<Cgroup> {
  try {
    const directories = (await hierarchies(cgroupRoot)).map(
      (hierarchy) => `${hierarchy}/${parentName}/${prefix}${name}`,
    );
    if (directories.length === 0) throw new Error(`${cgroupRoot} holds no cgroup hierarchy`);
    for (const directory of directories) await makeOne(directory);
    return { directories };
  } catch (error) {
    throw new Failure('retry', 'CgroupFailed', `no cgroup for CRIU: ${errorText(error)}`, {
      cause: error,
    });
  }
}

/** Moves a process, with all its threads, into the cgroup in every hierarchy. Throws Failure 'retry'. */
export async function enterCgroup(cgroup: Cgroup, pid: number): Promise<void> {
  for (const directory of cgroup.directories) {
    try {
      await writeFile(`${directory}/cgroup.procs`, String(pid));
    } catch (error) {
      const message = `CRIU could not be moved to ${directory}: ${errorText(error)}`;
      throw new Failure('retry', 'CgroupFailed', message, { cause: error });
    }
  }
}

/** Removes the cgroup where nothing is left in it. */
export async function removeCgroup(cgroup: Cgroup): Promise<void> {
  for (const directory of cgroup.directories) await removeIfEmpty(directory);
}

/** Removes what earlier agents left and nobody is in. */
export async function sweepCgroups(cgroupRoot: string): Promise<void> {
  for (const hierarchy of await hierarchies(cgroupRoot)) {
    const parent = `${hierarchy}/${parentName}`;
    for (const name of await readdir(parent).catch(() => [])) {
      if (name.startsWith(prefix)) await removeIfEmpty(`${parent}/${name}`);
    }
  }
}

/** The processes in each of CRIU's cgroups, by the name it was made with. */
export async function cgroupsOf(
  cgroupRoot: string,
): Promise<ReadonlyMap<string, ReadonlySet<number>>> {
  const members = new Map<string, Set<number>>();
  for (const hierarchy of await hierarchies(cgroupRoot)) {
    const parent = `${hierarchy}/${parentName}`;
    for (const directory of await readdir(parent).catch(() => [])) {
      if (!directory.startsWith(prefix)) continue;
      const name = directory.slice(prefix.length);
      // One that goes while we look holds nobody.
      const text = await readFile(`${parent}/${directory}/cgroup.procs`, 'utf8').catch(() => '');
      const known = members.get(name) ?? new Set();
      for (const pid of text.split('\n').filter(Boolean)) known.add(Number(pid));
      members.set(name, known);
    }
  }
  return members;
}

/** The kernel refuses to remove a cgroup that holds a process (EBUSY): then somebody else's sweep will. */
async function removeIfEmpty(directory: string): Promise<void> {
  await rmdir(directory).catch(() => undefined);
}

/** Directories that are the root of a hierarchy: cgroup v2's own, or those below it that are real (v1 has links like cpu -> cpu,cpuacct). */
async function hierarchies(cgroupRoot: string): Promise<readonly string[]> {
  if (await isHierarchy(cgroupRoot)) return [cgroupRoot];
  const found: string[] = [];
  for (const name of await readdir(cgroupRoot)) {
    const directory = `${cgroupRoot}/${name}`;
    if ((await lstat(directory)).isDirectory() && (await isHierarchy(directory))) {
      found.push(directory);
    }
  }
  return found;
}

async function isHierarchy(directory: string): Promise<boolean> {
  const status = await lstat(`${directory}/cgroup.procs`).catch(() => undefined);
  return status?.isFile() ?? false;
}

async function makeOne(directory: string): Promise<void> {
  await mkdir(directory, { recursive: true });
  await inheritCpuset(directory.slice(0, directory.lastIndexOf('/')));
  await inheritCpuset(directory);
}

/** A new cpuset of v1 has no CPUs and no memory nodes, and takes no process until it has. */
async function inheritCpuset(directory: string): Promise<void> {
  for (const name of ['cpuset.cpus', 'cpuset.mems']) {
    const own = await readFile(`${directory}/${name}`, 'utf8').catch(() => undefined);
    if (own === undefined || own.trim() !== '') continue;
    const above = await readFile(`${directory}/../${name}`, 'utf8').catch(() => '');
    // Empty on v2 too, where it means "as above" and is not to be set.
    if (above.trim() !== '') await writeFile(`${directory}/${name}`, above.trim());
  }
}
