import { closeSync, constants, openSync, readlinkSync, readSync, writeSync } from 'node:fs';
import { type Clock, sleep } from '../../../core/clock.ts';
import type { ProcessIdentity } from '../../proc/identity.ts';
import { isAlive } from '../../proc/process-table.ts';

/** What an agent says about a source whose hold was told `committing`. */
export type Decision = 'end' | 'run';

type Deps = { readonly procRoot: string; readonly clock: Clock };

const lookEveryMilliseconds = 10;
/** A hold does nothing but wait for words: one that is silent for so long is stopped, or stuck in a kernel that is. */
const answerLimitMilliseconds = 10_000;

/**
 * Asks a hold whether it waits for a decision, and makes it wait for one if it still listens to its first agent. True once it has
 * answered: from then on the death of nobody sets the source running. False when CRIU has ended, ends instead, or does not answer.
 */
async function commitHold(
  deps: Deps,
  criu: ProcessIdentity,
  signal: AbortSignal,
): Promise<boolean> {
  const notice = openPipe(deps.procRoot, criu, 8, constants.O_RDONLY);
  if (notice === undefined) return false;
  try {
    // What an earlier agent was answered says nothing about now.
    read(notice);
    if (!(await say(deps, criu, 'committing'))) return false;
    const giveUpAt = deps.clock.monotonicMilliseconds() + answerLimitMilliseconds;
    while (deps.clock.monotonicMilliseconds() < giveUpAt) {
      if (read(notice).includes('committing')) return true;
      if (!(await isAlive(deps.procRoot, criu))) return false;
      await sleep(deps.clock, lookEveryMilliseconds, signal);
    }
    return false;
  } finally {
    closeSync(notice);
  }
}

/** The same for all containers of a capture: true once every hold has answered. */
export async function commitHolds(
  deps: Deps,
  all: readonly (ProcessIdentity | undefined)[],
  signal: AbortSignal,
): Promise<boolean> {
  const answers = await Promise.all(
    all.map((criu) => criu !== undefined && commitHold(deps, criu, signal)),
  );
  return answers.length > 0 && answers.every(Boolean);
}

/** Gives the decision to the holds, from whichever agent, and waits for the end of each CRIU. One that has ended is fine. */
export async function decideHolds(
  deps: Deps,
  all: readonly (ProcessIdentity | undefined)[],
  decision: Decision,
  signal: AbortSignal,
): Promise<void> {
  const known = all.filter((criu) => criu !== undefined);
  for (const criu of known) await say(deps, criu, decision);
  for (const criu of known) {
    while (await isAlive(deps.procRoot, criu)) {
      await sleep(deps.clock, lookEveryMilliseconds, signal);
    }
  }
}

/** Whether one of the sources still lives a while after they were ended: the kernel takes its time with much memory. */
export async function outlive(
  deps: Deps,
  sources: readonly ProcessIdentity[],
  signal: AbortSignal,
): Promise<boolean> {
  const giveUpAt = deps.clock.monotonicMilliseconds() + answerLimitMilliseconds;
  for (const source of sources) {
    while (await isAlive(deps.procRoot, source)) {
      if (deps.clock.monotonicMilliseconds() >= giveUpAt) return true;
      await sleep(deps.clock, lookEveryMilliseconds, signal);
    }
  }
  return false;
}

/** One word into the pipe that the hold reads. False when nobody reads it any more. */
async function say(
  deps: Deps,
  criu: ProcessIdentity,
  word: Decision | 'committing',
): Promise<boolean> {
  const pipe = openPipe(deps.procRoot, criu, 7, constants.O_WRONLY);
  if (pipe === undefined) return false;
  try {
    // Asked when it is open: then the pipe is of the process that is meant, and of no other that got its pid.
    if (!(await isAlive(deps.procRoot, criu))) return false;
    writeSync(pipe, `${word}\n`);
    return true;
  } catch {
    // Ended meanwhile: nobody hears it.
    return false;
  } finally {
    closeSync(pipe);
  }
}

/** The hold's pipe as its CRIU has it open; undefined when CRIU is gone. */
function openPipe(
  procRoot: string,
  criu: ProcessIdentity,
  fd: number,
  flags: number,
): number | undefined {
  const path = `${procRoot}/${criu.pid}/fd/${fd}`;
  try {
    if (!readlinkSync(path).startsWith('pipe:')) return undefined;
    return openSync(path, flags | constants.O_NONBLOCK);
  } catch {
    return undefined;
  }
}

/** What lies in the pipe now; empty when nothing does. */
function read(pipe: number): string {
  const buffer = Buffer.alloc(4096);
  try {
    return buffer.toString('utf8', 0, readSync(pipe, buffer));
  } catch {
    // EAGAIN: nothing yet.
    return '';
  }
}
