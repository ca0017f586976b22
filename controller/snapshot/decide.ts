import { finalizers } from '../../core/api/names.ts';
import type { Decision } from '../../core/decision.ts';
import { act, nothing } from './deciding.ts';
import type { ObservedSnapshot, SnapshotAction, SnapshotPhase } from './observed.ts';
import { bound, captured } from './order.ts';
import { unbound } from './unbound.ts';

type Rule = (observed: ObservedSnapshot) => Decision<SnapshotAction>;

/** An order in flight is cancelled first. Bytes that are to be kept keep their content; everything else goes with it. */
function deleting(observed: ObservedSnapshot): Decision<SnapshotAction> {
  const { content, snapshot } = observed;
  if (!snapshot.metadata.finalizers.includes(finalizers.snapshot)) return nothing;
  if (content.state === 'unread') return nothing;
  if (content.state === 'missing' || !content.ours) return act({ do: 'removeFinalizer' });
  const order = content.content;
  if (order.metadata.deletionTimestamp !== undefined) return nothing;
  if (content.outcome === 'open' && !order.spec.cancel) {
    return act({ do: 'cancelContent', content: order });
  }
  if (content.outcome === 'ready' && order.spec.deletionPolicy === 'Retain') {
    return act({ do: 'releaseContent', content: order }, { do: 'removeFinalizer' });
  }
  return act({ do: 'deleteContent', content: order });
}

/** One rule for each phase. Failed is an end. */
export const rules = {
  Unbound: unbound,
  Bound: bound,
  Captured: captured,
  Failed: () => nothing,
  Deleting: deleting,
} satisfies Record<SnapshotPhase, Rule>;

/** Pure and total: what to do about a snapshot. */
export function decide(observed: ObservedSnapshot): Decision<SnapshotAction> {
  return rules[observed.phase](observed);
}
