import { execa } from 'execa';
import { bedCgroupProcesses, bedCgroups, readCgroupLayout, removeBedCgroups } from './cgroups.ts';
import { bedNamespaceProcesses, bedNamespaces, removeBedNetwork } from './network.ts';
import { bedPaths } from './paths.ts';
import type { ProcessIdentity } from './proc-stat.ts';
import { awaitEnd, isRunning, procStat, signalProcess } from './process.ts';
import { currentBootId, readState } from './state.ts';
import { releaseStore } from './store.ts';
import { until } from './until.ts';

/**
 * Removes everything that carries the bed's name: processes, network namespaces, cgroups, mounts and
 * files. Works from the kernel's own view besides the state file, so what a crash left half-made goes
 * too. Nothing there is fine.
 */
export async function sweepBed(bed: string): Promise<void> {
  await until(
    () => `the processes of bed ${bed} to end`,
    async () => {
      const found = await bedProcesses(bed);
      for (const it of found) signalProcess(it, 'SIGKILL');
      await awaitEnd(found, 5_000);
      return found.length === 0 ? true : undefined; // looks again: one may have forked meanwhile
    },
    30_000,
    0,
  );
  await removeBedNetwork(bed);
  await removeBedCgroups(await readCgroupLayout(), bed);
  await releaseStore(bed);
  // Not Node's rm: a workload can nest directories deeper than a path is long, and GNU rm goes down by descriptor.
  await execa('rm', ['-rf', '--one-file-system', '--', bedPaths(bed).directory]);
}

/** Every process of a bed: those it remembers, and those in its namespaces or cgroups. */
export async function bedProcesses(bed: string): Promise<readonly ProcessIdentity[]> {
  const state = readState(bed);
  const remembered =
    state !== undefined && state.bootId === currentBootId() ? Object.values(state.processes) : [];
  const seen = [
    ...(await bedNamespaceProcesses(bed)),
    ...(await bedCgroupProcesses(await readCgroupLayout(), bed)),
  ];
  const found = new Map<number, ProcessIdentity>();
  for (const pid of seen) {
    const stat = procStat(pid);
    if (stat !== undefined) found.set(pid, { pid, startTicks: stat.startTicks });
  }
  for (const it of remembered) {
    if (procStat(it.pid)?.startTicks === it.startTicks) found.set(it.pid, it);
  }
  return [...found.values()].filter(isRunning);
}

/** What of a bed the kernel still knows, in words; empty when nothing is left. For tests and `down`. */
export async function remains(bed: string): Promise<readonly string[]> {
  const processes = await bedProcesses(bed);
  const namespaces = await bedNamespaces(bed);
  const cgroups = await bedCgroups(await readCgroupLayout(), bed);
  return [
    ...processes.map((it) => `process ${it.pid} (${procStat(it.pid)?.command ?? 'ended'})`),
    ...namespaces.map((it) => `network namespace ${it}`),
    ...cgroups.map((it) => `cgroup ${it}`),
  ];
}
