import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { hasEnded, type ProcessIdentity, type ProcStat, parseProcStat } from './proc-stat.ts';
import { until } from './until.ts';

/** What a live process' /proc entry says, undefined when there is none. */
export function procStat(pid: number): ProcStat | undefined {
  try {
    return parseProcStat(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return undefined; // gone between any two looks is the ordinary case
  }
}

/** Identity of a running process. Throws when it is already gone. */
export function identify(pid: number): ProcessIdentity {
  const stat = procStat(pid);
  if (stat === undefined) throw new Error(`process ${pid} ended at once`);
  return { pid, startTicks: stat.startTicks };
}

/** Whether exactly this process still runs, with one thread at least. */
export function isRunning(identity: ProcessIdentity): boolean {
  const stat = procStat(identity.pid);
  return stat !== undefined && stat.startTicks === identity.startTicks && !hasEnded(stat);
}

/** Sends a signal to exactly this process; false when it is gone (its pid may be someone else's now). */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isRunning(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch {
    return false; // ended between the look and the signal
  }
}

/** Waits until none of the processes runs any more; throws after the deadline, naming those left. */
export async function awaitEnd(
  identities: readonly ProcessIdentity[],
  deadlineMs: number,
): Promise<void> {
  await until(
    () =>
      `the end of process ${identities
        .filter(isRunning)
        .map((it) => it.pid)
        .join(', ')}`,
    async () => (identities.some(isRunning) ? undefined : true),
    deadlineMs,
  );
}

/** A program that outlives the one which starts it. */
export type Daemon = {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly logPath: string;
};

/** Starts a daemon in a session of its own, its output appended to the log; resolves once it runs. */
export async function startDaemon(daemon: Daemon): Promise<ProcessIdentity> {
  const [file, ...args] = daemon.argv;
  if (file === undefined) throw new Error('a daemon needs a program');
  const log = openSync(daemon.logPath, 'a');
  try {
    const child = spawn(file, args, {
      detached: true,
      stdio: ['ignore', log, log],
      env: { PATH: process.env.PATH, ...daemon.environment },
    });
    return await adopt(child);
  } finally {
    closeSync(log);
  }
}

/** Waits for a child's exec and lets this program end without it. */
export async function adopt(child: ChildProcess): Promise<ProcessIdentity> {
  await once(child, 'spawn');
  child.unref();
  if (child.pid === undefined) throw new Error(`${child.spawnfile} did not start`);
  return identify(child.pid);
}
