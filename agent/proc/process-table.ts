import { readdir, readFile, readlink } from 'node:fs/promises';
import type { ProcessIdentity } from './identity.ts';
import { type ProcessStat, type ProcessStatus, parseStat, parseStatus } from './process-text.ts';

/** Reads a file of procfs; undefined when the process is gone (the kernel says so in three ways). */
export async function readProc(path: string): Promise<string | undefined> {
  return absentIfGone(readFile(path, 'utf8'));
}

/** Reads a link of procfs (fd, ns); undefined when the process or the link is gone. */
export async function readProcLink(path: string): Promise<string | undefined> {
  return absentIfGone(readlink(path));
}

/** Names in a directory of procfs; empty when the process is gone. */
export async function listProc(path: string): Promise<readonly string[]> {
  return (await absentIfGone(readdir(path))) ?? [];
}

async function absentIfGone<T>(reading: Promise<T>): Promise<T | undefined> {
  try {
    return await reading;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'ENOTDIR') return undefined;
    throw error;
  }
}

export async function readStat(procRoot: string, pid: number): Promise<ProcessStat | undefined> {
  const text = await readProc(`${procRoot}/${pid}/stat`);
  return text === undefined ? undefined : parseStat(text);
}

export async function readStatus(
  procRoot: string,
  pid: number,
): Promise<ProcessStatus | undefined> {
  const text = await readProc(`${procRoot}/${pid}/status`);
  return text === undefined ? undefined : parseStatus(text);
}

/** The process of that pid now, or undefined. One that has ended holds nothing and does nothing. */
export async function identify(
  procRoot: string,
  pid: number,
): Promise<ProcessIdentity | undefined> {
  const stat = await readStat(procRoot, pid);
  if (stat === undefined || hasEnded(stat)) return undefined;
  return { pid, startTicks: stat.startTicks };
}

/** True while exactly this process lives. */
export async function isAlive(procRoot: string, process: ProcessIdentity): Promise<boolean> {
  return (await identify(procRoot, process.pid))?.startTicks === process.startTicks;
}

/** Whether nothing of it is left but its entry: a program whose first thread has ended goes on in its others, and looks like a zombie. */
export function hasEnded({ state, threads }: ProcessStat): boolean {
  return state === 'X' || (state === 'Z' && threads <= 1);
}

/** All pids of this procfs. */
export async function listPids(procRoot: string): Promise<readonly number[]> {
  return (await listProc(procRoot)).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** The process and all its descendants that live now, parents before children; empty when it is gone. */
export async function readTree(
  procRoot: string,
  root: ProcessIdentity,
): Promise<readonly ProcessStat[]> {
  const pids = await listPids(procRoot);
  const stats = (await Promise.all(pids.map((pid) => readStat(procRoot, pid)))).filter(
    (stat) => stat !== undefined && !hasEnded(stat),
  );
  const children = new Map<number, ProcessStat[]>();
  const tree: ProcessStat[] = [];
  for (const stat of stats) {
    if (stat === undefined) continue;
    if (stat.pid === root.pid && stat.startTicks === root.startTicks) tree.push(stat);
    const siblings = children.get(stat.parentPid) ?? [];
    siblings.push(stat);
    children.set(stat.parentPid, siblings);
  }
  for (let index = 0; index < tree.length; index += 1) {
    tree.push(...(children.get(tree[index]?.pid ?? -1) ?? []));
  }
  return tree;
}
