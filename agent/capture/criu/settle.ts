import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { type Clock, sleep } from '../../../core/clock.ts';
import type { ProcessIdentity } from '../../proc/identity.ts';
import { isAlive } from '../../proc/process-table.ts';
import type { CaptureBackend } from '../backend.ts';
import { cutWrites } from './cut.ts';
import { ensureRunning, sendSignal } from './tree-state.ts';

const identities = z.array(z.object({ pid: z.number().int(), startTicks: z.number() }));

/** The note a capture leaves before it begins; undefined when it is not there or not readable: then nothing is known to have been stopped. */
export async function readStoppedBefore(
  file: string | undefined,
): Promise<readonly ProcessIdentity[]> {
  if (file === undefined) return [];
  const text = await readFile(file, 'utf8').catch(() => '[]');
  try {
    return identities.parse(JSON.parse(text));
  } catch {
    // A crash can cut the note short; it is written before anything is frozen, so a cut one means that nothing was.
    return [];
  }
}

const lookEveryMilliseconds = 50;

/**
 * Cuts short the CRIUs of an agent that is gone, waits for their end, then for the source to run. They are never killed: their pipes to the agent
 * are closed, so they undo their work at the hold at the latest, and at their next write where that is still to come.
 */
export async function settleLeft(
  deps: { readonly procRoot: string; readonly clock: Clock },
  left: Parameters<CaptureBackend['settle']>[0] & {
    readonly stoppedBefore: readonly ProcessIdentity[];
  },
  signal: AbortSignal,
): Promise<{ readonly sourceRuns: boolean }> {
  const { processes, stoppedBefore } = left;
  const known = (all: readonly (ProcessIdentity | undefined)[]): readonly ProcessIdentity[] =>
    all.filter((one) => one !== undefined);
  const all = known(processes.map(({ criu }) => criu));
  for (const criu of all) await cutWrites(deps.procRoot, criu);
  for (const criu of all) {
    while (await isAlive(deps.procRoot, criu)) {
      await sleep(deps.clock, lookEveryMilliseconds, signal);
    }
  }
  const outcomes = await Promise.all(
    known(processes.map(({ source }) => source)).map((source) =>
      ensureRunning({ ...deps, sendSignal }, source, stoppedBefore, signal),
    ),
  );
  return { sourceRuns: outcomes.length > 0 && outcomes.every((outcome) => outcome.sourceRuns) };
}
