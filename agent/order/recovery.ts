import { sleep } from '../../core/clock.ts';
import { errorText } from '../../core/failure.ts';
import type { LeftCapture } from '../capture/backend.ts';
import { parseIntent } from '../journal/row.ts';
import type { OrderDeps } from './deps.ts';
import { settleIntent } from './settle.ts';

/** Tries at settling one attempt before the others get their chance; the order's own rule goes on trying. */
const settleTries = 3;
const settlePauseMilliseconds = 1000;

type Deps = Pick<OrderDeps, 'backend' | 'journal' | 'staging' | 'log' | 'clock' | 'metrics'>;

/**
 * What a starting agent does before anything else: every capture that a predecessor left is settled (its CRIU ended, its source running,
 * its staging dropped unless it can be published), first those that the journal knows, then those that only the world does, one of which a
 * note may tell. Published and publishable orders are
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
  await settleUnknown(deps, signal);
}

/**
 * Staging that no intent names, left by an agent whose journal was lost: its CRIU is waited for and its source set running before it is
 * dropped. Where that cannot be done the directory stays: it is all that the next agent would know of it by.
 */
async function settleUnknown(deps: Deps, signal: AbortSignal): Promise<void> {
  const named = new Set(deps.journal.open().map((intent) => intent.stagingDirectory));
  const found: string[] = [];
  for (const path of await deps.staging.list()) {
    if (!named.has(path) && !(await foundAgain(deps, path))) found.push(path);
  }
  for (const left of await deps.backend.findLeft(found)) {
    const { stagingDirectory } = left;
    if (!(await settleLeft(deps, left, signal))) continue;
    const fields = { path: stagingDirectory, processes: left.processes };
    deps.log.warn(fields, 'removed a staging directory that no capture names');
    await deps.staging.drop(stagingDirectory);
  }
}

/** Whether nothing of the capture works any more and no source of it stands still. */
async function settleLeft(deps: Deps, left: LeftCapture, signal: AbortSignal): Promise<boolean> {
  try {
    await deps.backend.settle(left, signal);
    return true;
  } catch (error) {
    signal.throwIfAborted();
    deps.metrics.violated('NoFrozenOrphan');
    const fields = { path: left.stagingDirectory, error: errorText(error) };
    deps.log.error(fields, 'a capture that no journal knows could not be settled');
    return false;
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
