import { isTrue } from '../../core/api/conditions.ts';
import { contentName, finalizers, labels } from '../../core/api/names.ts';
import type { Decision } from '../../core/decision.ts';
import type { ContentAction, ContentPhase, ObservedContent } from './observed.ts';

type Rule = (observed: ObservedContent) => Decision<ContentAction>;

const nothing: Decision<ContentAction> = { actions: [] };

const recheckMilliseconds = 10_000;
const noAgentMilliseconds = 60_000;
const nodeLostMilliseconds = 300_000;

const later: Decision<ContentAction> = { actions: [], againAfterMilliseconds: recheckMilliseconds };
const then = (...actions: readonly ContentAction[]): Decision<ContentAction> => ({ actions });
const moved = (node: string, from: string, why: string): ContentAction => ({
  do: 'route',
  node,
  message: `The agent of node ${from} is silent: the agent of node ${node}, of the same store, ${why}.`,
});

/** No agent ever began with this order, so no byte of it can be stored anywhere. */
function storedNothing({ begun, content }: ObservedContent): boolean {
  const { artifact, attempts, startedAt } = content.status;
  return artifact === undefined && startedAt === undefined && (attempts ?? 0) === 0 && !begun;
}

const hasEnded = ({ content }: ObservedContent): boolean =>
  isTrue(content.status.conditions, 'Ready') || isTrue(content.status.conditions, 'Failed');

/**
 * Nobody comes back for it. What has no bytes goes; bytes are kept for an administrator, whatever the policy says: a snapshot that goes without
 * its finalizer may be an accident, and UIDs change when a cluster is restored from a backup.
 */
function orphaned(observed: ObservedContent): Decision<ContentAction> {
  const { cancel, snapshotRef, source } = observed.content.spec;
  // Only what this controller made of that very snapshot is its to end: its name says so.
  const isMade = observed.content.metadata.name === contentName(snapshotRef.uid ?? '');
  if (source.artifact !== undefined || isTrue(observed.content.status.conditions, 'Ready')) {
    const { name, namespace, uid = '' } = snapshotRef;
    const snapshot = `PodSnapshot ${namespace}/${name} (${uid})`;
    return then({ do: 'release', message: `${snapshot} is gone; the bytes are kept.` });
  }
  if (!isMade) return nothing;
  if (hasEnded(observed)) return then({ do: 'delete' });
  if (!cancel) return { ...then({ do: 'cancel' }), againAfterMilliseconds: recheckMilliseconds };
  // An agent that is silent has no more to say, and the deletion knows how to wait for it.
  const silent = observed.agent?.silentMilliseconds ?? 0;
  return silent >= noAgentMilliseconds ? then({ do: 'delete' }) : later;
}

/** The order to capture is routed when it is made. One for an artifact that exists already goes to an agent that can look for it. */
function live(observed: ObservedContent): Decision<ContentAction> {
  if (observed.orphaned) return orphaned(observed);
  const { agent, content, heir } = observed;
  const { artifact, nodeName } = content.spec.source;
  if (artifact === undefined || hasEnded(observed)) return nothing;
  const routed = content.metadata.labels[labels.node];
  if (routed === undefined) {
    const node = nodeName ?? heir;
    return node === undefined ? later : then({ do: 'route', node, message: undefined });
  }
  const silent = agent?.silentMilliseconds ?? 0;
  if (silent < noAgentMilliseconds || heir === undefined || nodeName !== undefined) return later;
  return then(moved(heir, routed, 'looks for the artifact instead'));
}

/** The object stays until its bytes are gone; only an agent that sees their store can say so. */
function deleting(observed: ObservedContent): Decision<ContentAction> {
  const { agent, content, heir, isShared, node } = observed;
  if (!content.metadata.finalizers.includes(finalizers.content)) return nothing;
  if (isTrue(content.status.conditions, 'ArtifactDeleted')) return then({ do: 'removeFinalizer' });
  if (node === undefined) {
    // Never given to anybody; or somebody took the label off, and the bytes are still to be found.
    if (storedNothing(observed)) return then({ do: 'removeFinalizer' });
    return heir === undefined ? later : then({ do: 'route', node: heir, message: undefined });
  }
  const silent = agent?.silentMilliseconds ?? 0;
  if (silent >= noAgentMilliseconds && storedNothing(observed)) {
    return then({ do: 'removeFinalizer' });
  }
  if (silent < nodeLostMilliseconds) return later;
  if (heir !== undefined) return then(moved(heir, node, 'deletes its bytes instead'));
  if (agent?.nodeGone !== true || isShared) return later;
  const digest = content.status.artifact?.digest ?? 'of unknown digest';
  const message = `Node ${node} is gone: its artifact ${digest} is written off, not deleted.`;
  return then({ do: 'writeOff', message }, { do: 'removeFinalizer' });
}

/** One rule for each phase. */
export const rules = { Live: live, Deleting: deleting } satisfies Record<ContentPhase, Rule>;

/** Pure and total: what to do about a content. */
export function decide(observed: ObservedContent): Decision<ContentAction> {
  return rules[observed.phase](observed);
}
