import { findCondition } from '../../core/api/conditions.ts';
import { finalizers } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { FailureReason } from '../../core/api/reasons.ts';
import { type Decision, sourceSentence } from '../../core/decision.ts';
import type {
  AgentSighting,
  ContentSighting,
  ObservedSnapshot,
  SnapshotAction,
  SnapshotPhase,
} from './observed.ts';

type Rule = (observed: ObservedSnapshot) => Decision<SnapshotAction>;
type Found = Extract<ContentSighting, { state: 'found' }>;

const nothing: Decision<SnapshotAction> = { actions: [] };

/** Between two writes of news that are not the end: a quick capture costs one write, not one for each stage. */
const mirrorIntervalMilliseconds = 1_000;
/** How often the heartbeat of a node with an order in flight is looked at. */
const heartbeatIntervalMilliseconds = 10_000;
/** An agent that beats every 10 s and is silent for this long is not just slow. */
const waitingForAgentMilliseconds = 15_000;
const noAgentMilliseconds = 60_000;
const nodeLostMilliseconds = 300_000;
/** What an agent gets to undo a cancelled order and to say so itself. */
const answerMilliseconds = 30_000;

const act = (...actions: readonly SnapshotAction[]): Decision<SnapshotAction> => ({ actions });
const fail = (reason: FailureReason, message: string): Decision<SnapshotAction> =>
  act({ do: 'fail', reason, message });

const deadlineLeft = ({ snapshot, ageMilliseconds }: ObservedSnapshot): number =>
  snapshot.spec.deadlineSeconds * 1000 - ageMilliseconds;

/** Before there is an order. The UID comes first: a pod of that name that is another says nothing about the one meant. */
function unbound(observed: ObservedSnapshot): Decision<SnapshotAction> {
  const { content, snapshot } = observed;
  if (content.state === 'found') return bind(observed, content);
  const untouched = sourceSentence(undefined);
  if (snapshot.spec.cancel) return fail('Cancelled', `Cancelled before it began. ${untouched}`);
  if (deadlineLeft(observed) <= 0) {
    const seconds = snapshot.spec.deadlineSeconds;
    return fail('DeadlineExceeded', `Not begun within ${seconds} s. ${untouched}`);
  }
  const { podRef, contentName } = snapshot.spec.source;
  if (podRef === undefined) {
    const message = `Waits for PodSnapshotContent ${contentName ?? ''} to be made.`;
    return waitFor(observed, message);
  }
  return capture(observed, podRef);
}

function bind(observed: ObservedSnapshot, found: Found): Decision<SnapshotAction> {
  const { name } = found.content.metadata;
  if (!found.ours) {
    const ref = found.content.spec.snapshotRef;
    const message = `PodSnapshotContent ${name} belongs to PodSnapshot ${ref.namespace}/${ref.name} (${ref.uid ?? 'no UID'}).`;
    return fail('ContentConflict', `${message} ${sourceSentence(undefined)}`);
  }
  if (!observed.snapshot.metadata.finalizers.includes(finalizers.snapshot)) {
    return act({ do: 'addFinalizer' });
  }
  const { nodeName } = found.content.spec.source;
  return {
    ...act({ do: 'bind', contentName: name, nodeName }),
    againAfterMilliseconds: mirrorIntervalMilliseconds,
  };
}

/** Why the pod cannot be captured, or undefined. */
function podVerdict(
  observed: ObservedSnapshot,
  podRef: {
    readonly name: string;
    readonly uid?: string | undefined;
    readonly containers: readonly string[];
  },
): Decision<SnapshotAction> | undefined {
  if (observed.pod.state !== 'found') {
    return fail('SourcePodNotFound', `There is no pod ${podRef.name} in this namespace.`);
  }
  const { pod } = observed.pod;
  if (podRef.uid !== undefined && podRef.uid !== pod.metadata.uid) {
    const message = `Pod ${podRef.name} has UID ${pod.metadata.uid}, asked for is ${podRef.uid}: it was replaced.`;
    return fail('StalePodReference', `${message} The pod was not touched.`);
  }
  const { phase } = pod.status;
  if (pod.metadata.deletionTimestamp !== undefined || phase === 'Succeeded' || phase === 'Failed') {
    const state =
      pod.metadata.deletionTimestamp !== undefined ? 'being deleted' : `over (${phase})`;
    return fail('SourcePodGone', `Pod ${podRef.name} is ${state}, nothing was captured.`);
  }
  const names = pod.spec.containers.map(({ name }) => name);
  const absent = podRef.containers.filter((name) => !names.includes(name));
  if (absent.length > 0) {
    const message = `Pod ${podRef.name} has no container ${absent.join(', ')}; it has: ${names.join(', ')}.`;
    return fail('InvalidTargetContainer', `${message} ${sourceSentence(undefined)}`);
  }
  return undefined;
}

function capture(
  observed: ObservedSnapshot,
  podRef: Parameters<typeof podVerdict>[1],
): Decision<SnapshotAction> {
  const verdict = podVerdict(observed, podRef);
  if (verdict !== undefined || observed.pod.state !== 'found') return verdict ?? nothing;
  const { pod, raw } = observed.pod;
  if (pod.spec.nodeName === undefined) {
    return waitFor(observed, `Pod ${podRef.name} has no node yet.`);
  }
  // The create answers with a finding, and the next round binds.
  return observed.snapshot.metadata.finalizers.includes(finalizers.snapshot)
    ? act({ do: 'createContent', raw, pod })
    : act({ do: 'addFinalizer' });
}

/** Looks again more and more rarely: the pod of a checkpoint is watched, that of a user's snapshot is not. */
function waitFor(observed: ObservedSnapshot, message: string): Decision<SnapshotAction> {
  const pause = Math.min(30_000, Math.max(1_000, observed.ageMilliseconds / 10));
  const againAfterMilliseconds = Math.max(1, Math.min(pause, deadlineLeft(observed)));
  // A pod that is placed within a second, as most are, costs no write.
  if (observed.ageMilliseconds < mirrorIntervalMilliseconds) {
    return { actions: [], againAfterMilliseconds };
  }
  return { ...act({ do: 'wait', reason: 'WaitingForSchedule', message }), againAfterMilliseconds };
}

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
  const silent = silence(content, observed.agent);
  if (silent !== undefined) return silent;
  return content.spec.cancel
    ? { reason: 'Cancelled', message: `The order was cancelled. ${source}` }
    : undefined;
}

function bound(observed: ObservedSnapshot): Decision<SnapshotAction> {
  const { content } = observed;
  if (content.state !== 'found' || !content.ours) return lost(observed);
  if (content.outcome !== 'open') return mirrorEnd(observed, content);
  const verdict = verdictOf(observed, content);
  if (verdict === undefined) return follow(observed, content);
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
    return { actions: [], againAfterMilliseconds };
  }
  return fail(verdict.reason, verdict.message);
}

/** An order under way: shows its news, asks after its agent, comes back for the deadline. */
function follow(observed: ObservedSnapshot, { content }: Found): Decision<SnapshotAction> {
  const again = Math.max(1, Math.min(heartbeatIntervalMilliseconds, deadlineLeft(observed)));
  if (observed.news === 'none') {
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
  const pause = mirrorIntervalMilliseconds - observed.sinceWriteMilliseconds;
  if (pause > 0) return { actions: [], againAfterMilliseconds: Math.min(pause, again) };
  return { ...act({ do: 'mirror', content }), againAfterMilliseconds: again };
}

/** Ready stays Ready, unless the bytes are found damaged or gone. */
function captured(observed: ObservedSnapshot): Decision<SnapshotAction> {
  const { content } = observed;
  if (content.state !== 'found' || !content.ours) return lost(observed);
  return content.outcome === 'open' ? nothing : mirrorEnd(observed, content);
}

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
