import { sleep } from '../../core/clock.ts';
import { Failure } from '../../core/failure.ts';
import type { OrderDeps } from './deps.ts';
import { parseFacts } from './facts.ts';
import type { WorkHooks, WorkOrder } from './work.ts';

/** Room comes back when another capture ends, and when somebody clears up. */
const askAgainMilliseconds = 2000;

/**
 * Sets aside what a dump and its artifact will write, before anything is frozen. Where only other captures are in the way their end is waited
 * for; what would never fit is StorageFull at once.
 */
export async function reserveRoom(
  deps: Pick<OrderDeps, 'space' | 'clock'>,
  uid: string,
  bytes: number,
  hooks: Pick<WorkHooks, 'stop' | 'waitsFor'>,
): Promise<void> {
  let waited = false;
  for (;;) {
    const shortage = await deps.space.reserve(uid, bytes);
    hooks.stop.throwIfAborted();
    if (shortage === undefined) break;
    if (shortage.forever) throw new Failure('terminal', 'StorageFull', shortage.message);
    waited = true;
    hooks.waitsFor(`waiting for room: ${shortage.message}`);
    await sleep(deps.clock, askAgainMilliseconds, hooks.stop);
  }
  if (waited) hooks.waitsFor(undefined);
}

/** Whether a dump of the order lies in staging and is still to be published: its bytes are still to come. */
export function isResumable(
  deps: Pick<OrderDeps, 'journal'>,
  order: Pick<WorkOrder, 'content'>,
): boolean {
  const step = deps.journal.find(order.content.metadata.uid)?.step;
  return step === 'dumped' || step === 'publishing';
}

/** After a restart: what dumps that lie in staging have still to put into the store. */
export function reserveAgain(deps: Pick<OrderDeps, 'journal' | 'space'>): void {
  for (const intent of deps.journal.open()) {
    if (intent.step !== 'dumped' && intent.step !== 'publishing') continue;
    const files = parseFacts(intent.facts)?.files ?? [];
    const bytes = files.reduce((sum, file) => sum + file.sizeBytes, 0);
    deps.space.restore(intent.contentUID, { staging: 0, store: bytes });
  }
}
