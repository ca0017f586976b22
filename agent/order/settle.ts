import type { Intent } from '../journal/journal.ts';
import type { OrderDeps } from './deps.ts';

/** Nothing of the attempt runs or lies about; the row is kept only because the attempt counts. */
export const isSettled = (intent: Intent): boolean =>
  intent.step === 'staging' && intent.stagingDirectory === '';

/**
 * Drops what an attempt has written and notes that it is over. `spare`: it was cut short by our own orderly stop and does not count
 * against the order. The caller has seen the source run.
 */
export async function markSettled(
  deps: Pick<OrderDeps, 'journal' | 'staging'>,
  intent: Intent,
  attempt: 'count' | 'spare',
): Promise<void> {
  if (intent.stagingDirectory !== '') await deps.staging.drop(intent.stagingDirectory);
  deps.journal.update(intent.contentUID, {
    step: 'staging',
    stagingDirectory: '',
    processes: intent.processes.map((one) => ({ ...one, criu: undefined })),
    attempt: attempt === 'spare' ? Math.max(0, intent.attempt - 1) : intent.attempt,
  });
}

/**
 * Puts right what a dead process left of an attempt: waits until its CRIUs have ended and the source runs, then drops the staging of an
 * unfinished dump. A finished one is kept: it can still be published.
 */
export async function settleIntent(
  deps: Pick<OrderDeps, 'backend' | 'journal' | 'staging' | 'log'>,
  intent: Intent,
  signal: AbortSignal,
): Promise<void> {
  if (isSettled(intent)) return;
  if (intent.step !== 'staging' && intent.step !== 'dumping') return;
  const { processes, contentUID, step, stagingDirectory } = intent;
  const { sourceRuns } = await deps.backend.settle({ processes, stagingDirectory }, signal);
  deps.log.info({ contentUID, step, sourceRuns }, 'settled an attempt that was cut short');
  await markSettled(deps, intent, 'count');
}
