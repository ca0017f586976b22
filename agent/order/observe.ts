import { labels } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { Pod } from '../../core/api/workload.ts';
import { errorText, isFailure } from '../../core/failure.ts';
import { serverNow } from '../../runtime/kube-port.ts';
import type { Intent } from '../journal/journal.ts';
import { isTerminal } from './decide.ts';
import type { OrderDeps } from './deps.ts';
import { committedCapture } from './end-source.ts';
import { parseFacts } from './facts.ts';
import type { LeaseView, Observed, StageNote } from './observed.ts';
import { isBehind, type OrderRecord } from './record.ts';
import { readContent } from './report.ts';
import { isSettled } from './settle.ts';
import { type SourceView, viewSource } from './source-check.ts';
import { podKeyOf, priorityOf, sourcePod } from './source-pod.ts';
import type { OrderState } from './state.ts';

/** Everything about one order, as one frozen value. Reads; writes nothing but its own notes. */
export async function observe(
  state: OrderState,
  uid: string,
  contentName: string,
  signal: AbortSignal,
): Promise<Observed> {
  const { deps, book, turns } = state;
  const record = book.record(uid, contentName);
  const intent = deps.journal.find(uid);
  const committing = intent?.step === 'committing' && record.work?.view().state !== 'running';
  // A cache that lags, or an empty one, must not decide about a source that stands still.
  const content = committing
    ? await freshContent(state, record, uid, signal)
    : currentContent(state, record, uid);
  const mine = content !== undefined && isMine(state, content);
  if (!mine) record.unlabelledVersion = undefined;
  const labelled = mine && isLabelled(state, record, content);
  return Object.freeze({
    content,
    mine,
    refusals: content === undefined ? [] : deps.refusals(content),
    gate:
      record.gate === 'open' ? 'open' : 'pins' in record.gate ? ('passed' as const) : record.gate,
    source: mine ? await viewOf(state, record, content, signal) : undefined,
    turn: turns.view(uid),
    heldBack: mine ? await heldBackOf(state, record, content) : undefined,
    lease: leaseOf(state, record),
    work: record.work?.view() ?? { state: 'none' as const },
    intent:
      intent === undefined
        ? undefined
        : { step: intent.step, attempt: intent.attempt, settled: isSettled(intent) },
    hold: committing ? await holdOf(deps, intent, signal) : 'ended',
    labelled,
    // The label goes last: one that is still there without a journal means that the word before it may be owed too.
    unfinished: record.unfinished || (deps.journalLost && labelled && isNewest(state, content)),
    deadlineLeftMilliseconds: content === undefined ? undefined : deadlineLeft(state, content),
    note: noteOf(state, record),
  });
}

/** The content as the API server has it; undefined when it said that there is none. Rejects while it says nothing. */
async function freshContent(
  state: OrderState,
  record: OrderRecord,
  uid: string,
  signal: AbortSignal,
): Promise<PodSnapshotContent | undefined> {
  try {
    const known = { metadata: { name: record.contentName, uid } };
    record.written = await readContent(state.deps, known, signal);
    return record.written;
  } catch (error) {
    if (isFailure(error, 'gone') && error.reason === 'NotFound') return undefined;
    if (isFailure(error) && error.reason === 'ContentReplaced') return undefined;
    throw error;
  }
}

/** A machine that was restarted has ended the source: what stood still then never ran on. */
async function holdOf(
  deps: OrderDeps,
  intent: Intent,
  signal: AbortSignal,
): Promise<Observed['hold']> {
  const bootID = parseFacts(intent.facts)?.bootID;
  if (bootID !== undefined && bootID !== deps.bootID) return 'waits';
  return (await deps.backend.isCommitted(committedCapture(intent), signal)) ? 'waits' : 'ended';
}

/** The content in the cache, or as our own last write left it while the cache lags behind. */
function currentContent(
  state: OrderState,
  record: OrderRecord,
  uid: string,
): PodSnapshotContent | undefined {
  const found = state.deps.cache.content(record.contentName);
  const cached = found?.metadata.uid === uid ? found : undefined;
  if (cached === undefined || record.written === undefined) return cached;
  if (isBehind(cached.metadata.resourceVersion, record.written.metadata.resourceVersion)) {
    return record.written;
  }
  record.written = undefined;
  return cached;
}

/** Routed here, and a capture. Away from the source's own node only the bytes of a deleted order are ours to deal with. */
function isMine(state: OrderState, content: PodSnapshotContent): boolean {
  const { nodeName } = state.deps;
  const { source } = content.spec;
  if (content.metadata.labels[labels.node] !== nodeName || source.podRef === undefined)
    return false;
  return source.nodeName === nodeName || content.metadata.deletionTimestamp !== undefined;
}

/** Only looked at while the source is waited for: once work runs, or the order has ended, the pod says nothing new. */
async function viewOf(
  state: OrderState,
  record: OrderRecord,
  content: PodSnapshotContent,
  signal: AbortSignal,
): Promise<SourceView | undefined> {
  if (record.gate === 'open' || !('pins' in record.gate)) return undefined;
  if (record.work !== undefined || isTerminal(content.status)) return undefined;
  if (content.metadata.deletionTimestamp !== undefined) return undefined;
  try {
    return viewSource(content, await sourcePod(state.deps, content, signal), record.gate.pins);
  } catch (error) {
    signal.throwIfAborted();
    // A server that is away, or a pod that does not parse, must not keep a cancel or the deadline from being seen.
    const message = `the source pod could not be read: ${errorText(error)}`;
    return { state: 'waiting', message, againMilliseconds: lookAgainMilliseconds };
  }
}

const lookAgainMilliseconds = 2000;

function leaseOf(state: OrderState, record: OrderRecord): LeaseView {
  if (record.lease !== undefined && !record.lease.lost.aborted) {
    return { state: 'held', takeoverUnannounced: record.takeoverUnannounced };
  }
  if (record.leaseElsewhere === undefined) return { state: 'none' };
  const now = state.deps.clock.monotonicMilliseconds();
  const { message, untilMonotonic } = record.leaseElsewhere;
  return { state: 'elsewhere', message, againMilliseconds: Math.max(0, untilMonotonic - now) };
}

/** Two orders for one pod share its label; the last one takes it off. */
function isLabelled(state: OrderState, record: OrderRecord, content: PodSnapshotContent): boolean {
  const { namespace, name } = podKeyOf(content);
  const pod: Pod | undefined = state.deps.cache.pod(namespace, name);
  const podUID = content.spec.source.podRef?.uid;
  const { unlabelledVersion } = record;
  const isSame = pod !== undefined && pod.metadata.uid === podUID;
  const isLate =
    isSame &&
    unlabelledVersion !== undefined &&
    isBehind(pod.metadata.resourceVersion, unlabelledVersion);
  if (isLate) return false;
  record.unlabelledVersion = undefined;
  if (!isSame || pod.metadata.labels[labels.captureEligible] === undefined) return false;
  return !state.deps.cache
    .contents()
    .some(
      (other) =>
        other.metadata.uid !== content.metadata.uid &&
        other.spec.source.podRef?.uid === podUID &&
        other.metadata.deletionTimestamp === undefined &&
        !isTerminal(other.status),
    );
}

/** Only asked while nothing runs yet: what has begun is not stopped for the node's sake. */
async function heldBackOf(
  state: OrderState,
  record: OrderRecord,
  content: PodSnapshotContent,
): Promise<string | undefined> {
  if (record.work !== undefined || isTerminal(content.status)) return undefined;
  return state.deps.heldBack(priorityOf(state.deps, content));
}

/** An order that ended before another one of the same pod began has nothing to say to it any more. */
function isNewest(state: OrderState, content: PodSnapshotContent): boolean {
  const since = ({ metadata }: PodSnapshotContent): number =>
    Date.parse(metadata.creationTimestamp);
  const podUID = content.spec.source.podRef?.uid;
  return !state.deps.cache
    .contents()
    .some((other) => other.spec.source.podRef?.uid === podUID && since(other) > since(content));
}

/** Milliseconds to the deadline by the API server's clock and our monotonic one; undefined until the server has told the time. */
function deadlineLeft(state: OrderState, content: PodSnapshotContent): number | undefined {
  const now = serverNow(state.deps.kube, state.deps.clock.monotonicMilliseconds());
  const created = Date.parse(content.metadata.creationTimestamp);
  if (now === undefined || Number.isNaN(created)) return undefined;
  return created + content.spec.deadlineSeconds * 1000 - now;
}

function noteOf(state: OrderState, record: OrderRecord): StageNote | undefined {
  if (record.note === undefined) return undefined;
  const now = state.deps.clock.monotonicMilliseconds();
  const { stage, reason, sinceMonotonic } = record.note;
  return {
    stage,
    reason,
    forMilliseconds: now - sinceMonotonic,
    sinceReportMilliseconds: now - (record.reportedAtMonotonic ?? Number.NEGATIVE_INFINITY),
  };
}
