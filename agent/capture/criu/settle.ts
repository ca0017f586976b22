import { readFile } from 'node:fs/promises';
import * as z from 'zod';
import { type Clock, sleep } from '../../../core/clock.ts';
import type { ProcessIdentity } from '../../proc/identity.ts';
import { isAlive } from '../../proc/process-table.ts';
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
 * Cuts short the CRIU of an agent that is gone, waits for its end, then for the source to run. It is never killed: its pipe to the agent is
 * closed, so it undoes its work at the hold at the latest, and at its next write where that is still to come.
 */
export async function settleLeft(
  deps: { readonly procRoot: string; readonly clock: Clock },
  left: {
    readonly criu: ProcessIdentity | undefined;
    readonly source: ProcessIdentity | undefined;
    readonly stoppedBefore: readonly ProcessIdentity[];
  },
  signal: AbortSignal,
): Promise<{ readonly sourceRuns: boolean }> {
  if (left.criu !== undefined) await cutWrites(deps.procRoot, left.criu);
  while (left.criu !== undefined && (await isAlive(deps.procRoot, left.criu))) {
    await sleep(deps.clock, lookEveryMilliseconds, signal);
  }
  if (left.source === undefined) return { sourceRuns: false };
  const outcome = await ensureRunning(
    { ...deps, sendSignal },
    left.source,
    left.stoppedBefore,
    signal,
  );
  return { sourceRuns: outcome.sourceRuns };
}
