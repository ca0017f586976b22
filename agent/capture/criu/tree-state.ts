import { type Clock, sleep } from '../../../core/clock.ts';
import type { ProcessIdentity } from '../../proc/identity.ts';
import { listProc, readProc, readStatus, readTree } from '../../proc/process-table.ts';
import { parseStat } from '../../proc/process-text.ts';

/** A process of the source. `stopped` by a signal (SIGSTOP, a shell's job control), `traced`: a tracer holds it or a thread of it. */
export type Member = ProcessIdentity & { readonly state: 'running' | 'stopped' | 'traced' };

/** Every live process of the tree with its state now. */
export async function readMembers(
  procRoot: string,
  root: ProcessIdentity,
): Promise<readonly Member[]> {
  const tree = await readTree(procRoot, root);
  return Promise.all(
    tree.map(async ({ pid, startTicks }) => ({
      pid,
      startTicks,
      state: await stateOf(procRoot, pid),
    })),
  );
}

async function stateOf(procRoot: string, pid: number): Promise<Member['state']> {
  const letters = new Set<string | undefined>();
  for (const thread of await listProc(`${procRoot}/${pid}/task`)) {
    const text = await readProc(`${procRoot}/${pid}/task/${thread}/stat`);
    letters.add(text === undefined ? undefined : parseStat(text)?.state);
  }
  if (letters.has('t')) return 'traced';
  return letters.has('T') ? 'stopped' : 'running';
}

/** What became of the source after a capture. */
export type Outcome = {
  /** The root process lives and nothing of the tree is stopped that was not before. */
  readonly sourceRuns: boolean;
  /** Processes that are still stopped. */
  readonly stopped: readonly number[];
};

const checkEveryMilliseconds = 20;
const giveUpAfterMilliseconds = 10_000;

/**
 * Waits until every process of the tree runs, helping where nobody else will: SIGCONT to a process that is stopped by a signal, was not
 * before the capture, and has no tracer. Call it when CRIU has ended.
 */
export async function ensureRunning(
  deps: {
    readonly procRoot: string;
    readonly clock: Clock;
    readonly sendSignal: (pid: number, signal: NodeJS.Signals) => void;
  },
  root: ProcessIdentity,
  stoppedBefore: readonly ProcessIdentity[],
  signal: AbortSignal,
): Promise<Outcome> {
  const giveUpAt = deps.clock.monotonicMilliseconds() + giveUpAfterMilliseconds;
  for (;;) {
    const members = await readMembers(deps.procRoot, root);
    const wrong = members.filter(
      (member) => member.state !== 'running' && !isIn(stoppedBefore, member),
    );
    const late = deps.clock.monotonicMilliseconds() >= giveUpAt;
    if (wrong.length === 0 || late) {
      return {
        sourceRuns: members.length > 0 && wrong.length === 0,
        stopped: wrong.map((member) => member.pid),
      };
    }
    for (const member of wrong) await resume(deps, root, member);
    await sleep(deps.clock, checkEveryMilliseconds, signal);
  }
}

async function resume(
  deps: Parameters<typeof ensureRunning>[0],
  root: ProcessIdentity,
  member: Member,
): Promise<void> {
  const status = await readStatus(deps.procRoot, member.pid);
  if (status === undefined || status.tracerPid !== 0) return;
  // Read again as late as possible: the pid must still be the same process of the same tree.
  const now = await readTree(deps.procRoot, root);
  if (!now.some((stat) => stat.pid === member.pid && stat.startTicks === member.startTicks)) return;
  deps.sendSignal(member.pid, 'SIGCONT');
}

function isIn(list: readonly ProcessIdentity[], process: ProcessIdentity): boolean {
  return list.some((one) => one.pid === process.pid && one.startTicks === process.startTicks);
}

/** Sends a signal; a process that is gone meanwhile is not an error. */
export function sendSignal(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ESRCH')) throw error;
  }
}
