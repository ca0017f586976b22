import { link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { identify, isRunning } from './process.ts';
import { until } from './until.ts';

/**
 * Runs `work` while this process holds the lock file `path`; other processes wait for it. The file
 * names its holder by pid and start time, so the lock of a program that died is taken over.
 */
export async function withLock<T>(
  path: string,
  waitMs: number,
  log: (line: string) => void,
  work: () => Promise<T>,
): Promise<T> {
  await mkdir(dirname(path), { recursive: true });
  const own = `${path}.${process.pid}.${crypto.randomUUID()}`;
  await writeFile(own, JSON.stringify(identify(process.pid)));
  let said = false;
  try {
    await until(
      () => `the lock ${path}`,
      async () => {
        if (await linked(own, path)) return true;
        const holder = await readHolder(path);
        if (holder === 'gone') return undefined;
        if (holder === undefined || !isRunning(holder)) await breakLock(path, own);
        else if (!said) {
          said = true;
          log(`waiting for process ${holder.pid}, which holds ${path}`);
        }
        return undefined;
      },
      waitMs,
    );
  } finally {
    await rm(own, { force: true });
  }
  try {
    return await work();
  } finally {
    await rm(path, { force: true });
  }
}

async function linked(own: string, path: string): Promise<boolean> {
  try {
    await link(own, path); // atomic, and never replaces
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  }
}

type Holder = { readonly pid: number; readonly startTicks: string };

async function readHolder(path: string): Promise<Holder | undefined | 'gone'> {
  try {
    return parseHolder(await readFile(path, 'utf8'));
  } catch {
    return 'gone';
  }
}

function parseHolder(text: string): Holder | undefined {
  const match = /^\{"pid":(\d+),"startTicks":"(\d+)"\}$/.exec(text);
  const [, pid, startTicks] = match ?? [];
  return pid === undefined || startTicks === undefined
    ? undefined
    : { pid: Number(pid), startTicks };
}

/** Two waiters may both see the dead holder: the rename lets only one of them remove that file. */
async function breakLock(path: string, own: string): Promise<void> {
  const aside = `${own}.broken`;
  try {
    await rename(path, aside);
  } catch {
    return; // the other waiter was first
  }
  const holder = await readHolder(aside);
  if (holder !== 'gone' && holder !== undefined && isRunning(holder)) {
    await linked(aside, path); // it was a fresh lock after all: give it back
  }
  await rm(aside, { force: true });
}
