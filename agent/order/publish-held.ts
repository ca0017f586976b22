import { Failure } from '../../core/failure.ts';
import type { RunningCapture } from '../capture/backend.ts';
import type { Intent } from '../journal/journal.ts';
import { formatIntent } from '../journal/row.ts';
import type { OrderDeps } from './deps.ts';
import { type CaptureFacts, formatFacts } from './facts.ts';
import { storeDump } from './publish.ts';
import { confirmLease } from './store-retry.ts';
import type { WorkEnd, WorkHooks, WorkOrder } from './work.ts';

/**
 * The rest of a capture whose source is to be ended: publishes while the source stays frozen, then commits the hold, so that from here on
 * only a decision about the order moves the source (committing.ts). Rejects when that does not come about; the caller lets the source run on.
 */
export async function publishHeld(
  deps: OrderDeps,
  order: WorkOrder,
  running: RunningCapture,
  begun: CaptureFacts,
  hooks: WorkHooks,
): Promise<WorkEnd> {
  const { uid } = order.content.metadata;
  const { dump, broken } = await running.keep(hooks.stop);
  const keptAt = deps.clock.monotonicMilliseconds();
  // The node's disk is free for somebody else's dump.
  hooks.thawed();
  const stop = AbortSignal.any([hooks.stop, broken]);
  const facts: CaptureFacts = { ...begun, dump };
  deps.journal.update(uid, { step: 'holding', facts: formatFacts(facts) });
  hooks.enter('Publishing');
  const { stagingDirectory } = journalled(deps, uid);
  const { progressed } = hooks;
  const published = await storeDump(deps, order, facts, stagingDirectory, { stop, progressed });
  const lasted = deps.clock.monotonicMilliseconds() - keptAt;
  deps.metrics.published(lasted);
  if (published !== undefined) deps.freezeOutlook.published(published.sizeBytes, lasted);
  // The server answers now, so the time in which nothing but an agent moves the source will be short.
  await confirmLease(deps, order.lease, stop);
  stop.throwIfAborted();
  const freezeMilliseconds = dump.freezeMilliseconds + deps.clock.monotonicMilliseconds() - keptAt;
  const stageMilliseconds = hooks.spent();
  const known: CaptureFacts = { ...facts, published, freezeMilliseconds, stageMilliseconds };
  const intent = {
    ...journalled(deps, uid),
    step: 'committing',
    facts: formatFacts(known),
  } as const;
  // A journal that is damaged now would leave a frozen source of which nobody knows.
  await deps.staging.note(stagingDirectory, formatIntent(intent));
  deps.journal.update(uid, intent);
  if (await running.commit()) {
    deps.metrics.froze(freezeMilliseconds);
    return { end: 'published' };
  }
  broken.throwIfAborted();
  throw new Failure('retry', 'CheckpointFailed', 'the source could not be kept frozen');
}

function journalled(deps: OrderDeps, uid: string): Intent {
  const intent = deps.journal.find(uid);
  if (intent !== undefined) return intent;
  throw new Failure('terminal', 'CheckpointFailed', 'the journal does not know the dump');
}
