import { sleep } from '../../core/clock.ts';
import { errorText } from '../../core/failure.ts';
import { parseIntent } from '../journal/row.ts';
import type { OrderDeps } from './deps.ts';
import { settleIntent } from './settle.ts';

/** Tries at settling one attempt before the others get their chance; the order's own rule goes on trying. */
const settleTries = 3;
const settlePauseMilliseconds = 1000;

type Deps = Pick<OrderDeps, 'backend' | 'journal' | 'staging' | 'log' | 'clock'>;

/**
 * What a starting agent does before anything else: every capture that a predecessor left is settled (its CRIU ended, its source running,
 * its staging dropped unless it can be published), and staging that no intent names is removed, or tells of one. Published and publishable orders are
 * picked up by their own rules afterwards.
 */
export async function recover(deps: Deps, signal: AbortSignal): Promise<void> {
  for (const intent of deps.journal.open()) {
    for (let tries = 1; tries <= settleTries; tries += 1) {
      try {
        await settleIntent(deps, intent, signal);
        break;
      } catch (error) {
        signal.throwIfAborted();
        const fields = { contentUID: intent.contentUID, tries, error: errorText(error) };
        deps.log.error(fields, 'an attempt of a dead agent could not be settled');
        await sleep(deps.clock, settlePauseMilliseconds, signal);
      }
    }
  }
  const named = new Set(deps.journal.open().map((intent) => intent.stagingDirectory));
  for (const path of await deps.staging.list()) {
    if (named.has(path) || (await foundAgain(deps, path))) continue;
    deps.log.warn({ path }, 'removed a staging directory that no capture names');
    await deps.staging.drop(path);
  }
}

/** A source may stand still, waiting for a decision, of which a journal that was set aside knew. What it knew is in the staging directory too. */
async function foundAgain(deps: Deps, path: string): Promise<boolean> {
  const text = await deps.staging.noted(path);
  const intent = text === undefined ? undefined : parseIntent(text);
  if (intent?.stagingDirectory !== path) return false;
  deps.log.warn(
    { path, contentUID: intent.contentUID },
    'a capture that the journal has forgotten',
  );
  deps.journal.begin(intent);
  return true;
}
