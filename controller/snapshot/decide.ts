import { finalizers, labels } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { Decision } from '../../core/decision.ts';
import { act, isProvided, nothing } from './deciding.ts';
import type { ObservedSnapshot, SnapshotAction, SnapshotPhase } from './observed.ts';
import { bound, captured } from './order.ts';
import { unbound } from './unbound.ts';

type Rule = (observed: ObservedSnapshot) => Decision<SnapshotAction>;

/** A deletion that takes no longer than this is not worth a write that explains it. */
const quietMilliseconds = 5_000;

/** An order in flight is cancelled first. Bytes that are to be kept keep their content; everything else goes with it. */
function deleting(observed: ObservedSnapshot): Decision<SnapshotAction> {
  const { content, snapshot } = observed;
  if (!snapshot.metadata.finalizers.includes(finalizers.snapshot)) return nothing;
  if (content.state === 'unread') return nothing;
  if (content.state === 'missing' || !content.claimed) return act({ do: 'removeFinalizer' });
  const order = content.content;
  if (order.metadata.deletionTimestamp !== undefined) return awaitDeletion(observed, order);
  if (content.outcome === 'open' && !order.spec.cancel && !isProvided(observed)) {
    return act({ do: 'cancelContent', content: order });
  }
  const worthKeeping = content.outcome === 'ready' || isProvided(observed);
  if (worthKeeping && order.spec.deletionPolicy === 'Retain') {
    return act({ do: 'releaseContent', content: order }, { do: 'removeFinalizer' });
  }
  return {
    ...act({ do: 'deleteContent', content: order }),
    againAfterMilliseconds: quietMilliseconds,
  };
}

/** The change of the content brings us back; until then the snapshot says what it still stands for. */
function awaitDeletion(
  { deletingMilliseconds }: ObservedSnapshot,
  { metadata, spec }: PodSnapshotContent,
): Decision<SnapshotAction> {
  const left = quietMilliseconds - deletingMilliseconds;
  if (left > 0) return { actions: [], againAfterMilliseconds: left };
  const node = metadata.labels[labels.node] ?? spec.source.nodeName;
  const agent = node === undefined ? 'an agent' : `the agent of node ${node}`;
  const message = `Waits for ${agent} to delete the bytes of PodSnapshotContent ${metadata.name}.`;
  return act({ do: 'explain', reason: 'Deleting', message });
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
