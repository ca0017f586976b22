import { findCondition } from '../../core/api/conditions.ts';
import { labels } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { FailureReason } from '../../core/api/reasons.ts';
import { type Decision, sourceSentence } from '../../core/decision.ts';
import {
  act,
  deadlineLeft,
  type Found,
  fail,
  isProvided,
  mirrorIntervalMilliseconds,
  nothing,
} from './deciding.ts';
import type { AgentSighting, ObservedSnapshot, SnapshotAction } from './observed.ts';

/** How often the heartbeat of a node with an order in flight is looked at. */
const heartbeatIntervalMilliseconds = 10_000;
/** An agent that beats every 10 s and is silent for this long is not just slow. */
const waitingForAgentMilliseconds = 15_000;
const noAgentMilliseconds = 60_000;
const nodeLostMilliseconds = 300_000;
/** What an agent gets to undo a cancelled order and to say so itself. */
const answerMilliseconds = 30_000;

/** What the controller itself wants the order to end with, and whether an agent is there to be waited for. */
type Verdict = { readonly reason: FailureReason; readonly message: string };

/** Nothing in the status was ever written by an agent. */
const isUntouched = ({ status }: PodSnapshotContent): boolean =>
  status.stage === 'Pending' && status.startedAt === undefined && status.conditions.length === 0;

function silence(
  content: PodSnapshotContent,
  agent: AgentSighting | undefined,
): Verdict | undefined {
  if (agent === undefined || agent.silentMilliseconds < noAgentMilliseconds) return undefined;
  const node = content.spec.source.nodeName ?? '';
  const seconds = Math.round(agent.silentMilliseconds / 1000);
  if (isUntouched(content)) {
    const message = `No agent serves node ${node} (no heartbeat for ${seconds} s).`;
    return { reason: 'NoAgentOnNode', message: `${message} ${sourceSentence(undefined)}` };
  }
  if (!agent.nodeGone && agent.silentMilliseconds < nodeLostMilliseconds) return undefined;
  const lost = agent.nodeGone ? 'no longer exists' : `has had no live agent for ${seconds} s`;
  return {
    reason: 'NodeLost',
    message: `Node ${node} ${lost} with the capture under way. ${sourceSentence('Unknown')}`,
  };
}

function verdictOf(observed: ObservedSnapshot, { content }: Found): Verdict | undefined {
  const { snapshot } = observed;
  const source = sourceSentence(content.status.sourceState);
  if (snapshot.spec.cancel) return { reason: 'Cancelled', message: `Cancelled. ${source}` };
  if (deadlineLeft(observed) <= 0) {
    const { deadlineSeconds } = snapshot.spec;
    return {
      reason: 'DeadlineExceeded',
      message: `Not captured within ${deadlineSeconds} s. ${source}`,
    };
  }
  // An artifact that exists already can wait for an agent until the deadline.
  const silent = isProvided(observed) ? undefined : silence(content, observed.agent);
  if (silent !== undefined) return silent;
  return content.spec.cancel
    ? { reason: 'Cancelled', message: `The order was cancelled. ${source}` }
    : undefined;
}

const later = (againAfterMilliseconds: number): Decision<SnapshotAction> => ({
  actions: [],
  againAfterMilliseconds,
});

/** An order in flight, or at its end. */
export function bound(observed: ObservedSnapshot): Decision<SnapshotAction> {
  const { content } = observed;
  if (content.state !== 'found' || !content.ours) return lost(observed);
  if (content.outcome !== 'open') return mirrorEnd(observed, content);
  const verdict = verdictOf(observed, content);
  if (verdict === undefined) {
    return isProvided(observed) ? awaitProvided(observed, content) : follow(observed, content);
  }
  // Nothing runs that would have to be stopped, and the content is not ours to spoil. Ready wins by the uncached look alone.
  if (isProvided(observed)) {
    return content.fresh ? fail(verdict.reason, verdict.message) : later(1_000);
  }
  // Asked first and read back: an agent's Ready that came before wins, one that comes after is refused.
  if (!content.content.spec.cancel || !content.fresh) {
    return act({ do: 'cancelContent', content: content.content });
  }
  return conclude(observed, content, verdict);
}

function lost({ content, snapshot }: ObservedSnapshot): Decision<SnapshotAction> {
  const name = snapshot.status.boundSnapshotContentName ?? '';
  const source = sourceSentence(
    snapshot.status.stage === 'Pending' ? undefined : (snapshot.status.sourceState ?? 'Unknown'),
  );
  if (content.state === 'missing') {
    return fail('ContentLost', `PodSnapshotContent ${name} was deleted. ${source}`);
  }
  if (content.state === 'unread') return nothing;
  return fail(
    'ContentConflict',
    `PodSnapshotContent ${name} belongs to another PodSnapshot. ${source}`,
  );
}

/** An agent that stopped because it was told to does not know that the reason was the deadline. */
function mirrorEnd(observed: ObservedSnapshot, found: Found): Decision<SnapshotAction> {
  if (observed.news === 'none') return nothing;
  const { content } = found;
  const said = findCondition(content.status.conditions, 'Failed')?.reason;
  const timedOut =
    said === 'Cancelled' && !observed.snapshot.spec.cancel && deadlineLeft(observed) <= 0;
  return act({ do: 'mirror', content, ...(timedOut ? { reason: 'DeadlineExceeded' } : {}) });
}

/** The order is cancelled and not Ready, so it cannot become Ready any more: whoever can still speak says how it ended. */
function conclude(
  observed: ObservedSnapshot,
  { content }: Found,
  verdict: Verdict,
): Decision<SnapshotAction> {
  const silent = observed.agent?.silentMilliseconds ?? 0;
  if (silent >= noAgentMilliseconds) {
    return act({ do: 'failContent', content, ...verdict });
  }
  const left = answerMilliseconds - observed.sinceCancelMilliseconds;
  if (left > 0 || silent >= waitingForAgentMilliseconds) {
    const againAfterMilliseconds = Math.min(
      left > 0 ? left : heartbeatIntervalMilliseconds,
      heartbeatIntervalMilliseconds,
    );
    const message = `Waits for the agent of node ${content.spec.source.nodeName ?? ''} to stop the capture: ${verdict.reason}.`;
    return { ...act({ do: 'explain', reason: 'Cancelling', message }), againAfterMilliseconds };
  }
  return fail(verdict.reason, verdict.message);
}

/** An order under way: shows its news, asks after its agent, comes back for the deadline. */
function follow(observed: ObservedSnapshot, found: Found): Decision<SnapshotAction> {
  const again = lookAgain(observed);
  if (observed.news !== 'none') return showNews(observed, found);
  const { content } = found;
  const silent = observed.agent?.silentMilliseconds ?? 0;
  if (!isUntouched(content) || silent < waitingForAgentMilliseconds) {
    return { actions: [], againAfterMilliseconds: again };
  }
  const message = `No agent has answered on node ${content.spec.source.nodeName ?? ''} yet.`;
  return {
    ...act({ do: 'wait', reason: 'WaitingForAgent', message }),
    againAfterMilliseconds: again,
  };
}

/** An artifact that exists already is Ready once an agent has seen it whole in its store. */
function awaitProvided(observed: ObservedSnapshot, found: Found): Decision<SnapshotAction> {
  if (observed.news !== 'none') return showNews(observed, found);
  const againAfterMilliseconds = lookAgain(observed);
  const { metadata, spec } = found.content;
  const node = metadata.labels[labels.node];
  const silent = observed.agent?.silentMilliseconds ?? 0;
  const isWaiting =
    isUntouched(found.content) && observed.sinceWriteMilliseconds >= mirrorIntervalMilliseconds;
  if (!isWaiting || (node !== undefined && silent < waitingForAgentMilliseconds)) {
    return { actions: [], againAfterMilliseconds };
  }
  const message =
    node === undefined
      ? `No agent is known to serve store ${spec.source.artifact?.store ?? ''}; of a store that is not shared, spec.source.nodeName names the node.`
      : `No agent has answered on node ${node} yet.`;
  return { ...act({ do: 'wait', reason: 'WaitingForAgent', message }), againAfterMilliseconds };
}

const lookAgain = (observed: ObservedSnapshot): number =>
  Math.max(1, Math.min(heartbeatIntervalMilliseconds, deadlineLeft(observed)));

/** What the content says now, not more often than people can read. */
function showNews(observed: ObservedSnapshot, { content }: Found): Decision<SnapshotAction> {
  const again = lookAgain(observed);
  const pause = mirrorIntervalMilliseconds - observed.sinceWriteMilliseconds;
  if (pause > 0) return { actions: [], againAfterMilliseconds: Math.min(pause, again) };
  return { ...act({ do: 'mirror', content }), againAfterMilliseconds: again };
}

/** Ready stays Ready, unless the bytes are found damaged or gone. */
export function captured(observed: ObservedSnapshot): Decision<SnapshotAction> {
  const { content } = observed;
  if (content.state !== 'found' || !content.ours) return lost(observed);
  return content.outcome === 'open' ? nothing : mirrorEnd(observed, content);
}
