import { join } from 'node:path';
import { type Clock, sleep } from '../core/clock.ts';
import { errorText, isFailure } from '../core/failure.ts';
import type { Log } from '../runtime/log.ts';
import type { Journal } from './journal/journal.ts';
import { openSqliteJournal } from './journal/sqlite.ts';
import type { Announce } from './order/deps.ts';

const pauseMilliseconds = 2000;

/** Why the journal that was found could not be read, and where it lies now. */
export type JournalDamage = { readonly why: string; readonly aside: string };

/** Opens the journal of this node. It is one process's: while a predecessor is still ending, or the disk does not take it, this one waits. */
export async function openJournal(
  stateDirectory: string,
  clock: Clock,
  log: Log,
  signal: AbortSignal,
): Promise<{ readonly journal: Journal; readonly damage: JournalDamage | undefined }> {
  let damage: JournalDamage | undefined;
  for (;;) {
    try {
      const path = join(stateDirectory, 'journal.db');
      const journal = openSqliteJournal(path, (why, aside) => {
        damage = { why, aside };
        log.error(damage, 'the journal was damaged and has been set aside');
      });
      return { journal, damage };
    } catch (error) {
      if (!isFailure(error, 'retry')) throw error;
      log.warn({ error: errorText(error) }, 'the journal is not free yet');
      await sleep(clock, pauseMilliseconds, signal);
    }
  }
}

/** Tells whoever looks after the node. */
export function tellDamage(announce: Announce, nodeName: string, damage: JournalDamage): void {
  announce({
    // The kubelet's events on a node carry its name as UID, and kubectl looks for them so.
    regarding: { apiVersion: 'v1', kind: 'Node', namespace: '', name: nodeName, uid: nodeName },
    type: 'Warning',
    reason: 'JournalDamaged',
    action: 'Recover',
    note: `the journal of the Cryopod agent was damaged (${damage.why}) and lies at ${damage.aside}; what was under way is found again by looking`,
  });
}
