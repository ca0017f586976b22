import { findCondition } from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../../core/api/pod-snapshot-content.ts';
import { Failure, isFailure } from '../../core/failure.ts';
import type { ObjectKey, RawObject } from '../../runtime/kube-port.ts';
import { patchStatus } from '../../runtime/status-patch.ts';
import { tellBoth, tellSnapshot } from './announce.ts';
import { isTerminal } from './decide.ts';
import type { OrderDeps } from './deps.ts';
import { parseFacts } from './facts.ts';
import type { Action } from './observed.ts';
import type { OrderRecord } from './record.ts';
import {
  deletedPatch,
  failedPatch,
  failureMessage,
  readyPatch,
  type StatusPatch,
  stagePatch,
  terminatedPatch,
} from './status.ts';

type Deed<Name extends Action['do']> = Extract<Action, { do: Name }>;

/** Enough of a content to find it again. */
type Named = { readonly metadata: { readonly name: string; readonly uid: string } };

const keyOf = (content: Named): ObjectKey => ({
  kind: kinds.podSnapshotContent,
  namespace: '',
  name: content.metadata.name,
});

/** A work order from the server, parsed; one that does not parse is no order of ours. */
export const parsedContent = (raw: RawObject): PodSnapshotContent => {
  const result = parsePodSnapshotContent(raw);
  if (result.ok) return result.value;
  throw new Failure('terminal', 'UnreadableContent', `the work order: ${result.message}`);
};

/** The work order as the API server has it now. */
export async function readContent(
  deps: Pick<OrderDeps, 'kube'>,
  content: Named,
  signal: AbortSignal,
): Promise<PodSnapshotContent> {
  const fresh = parsedContent(await deps.kube.get(keyOf(content), signal));
  if (fresh.metadata.uid === content.metadata.uid) return fresh;
  throw new Failure('conflict', 'ContentReplaced', `${content.metadata.name} was recreated`);
}

type Change = (
  fresh: PodSnapshotContent,
) => Promise<StatusPatch | undefined> | StatusPatch | undefined;

/**
 * One status write: a change of the object as it was observed, and a patch that fits this version alone, so that what was observed holds at the
 * moment of the write. Only when it does not fit, the object is read and the change made on that; a second conflict comes out as it is, and
 * the next round looks again. `change` returns undefined when nothing is to be written. Returns what was written, if anything was.
 */
async function write(
  deps: OrderDeps,
  record: OrderRecord,
  content: PodSnapshotContent,
  change: Change,
  signal: AbortSignal,
): Promise<PodSnapshotContent | undefined> {
  try {
    return await writeOn(deps, record, content, change, signal);
  } catch (error) {
    if (!isFailure(error, 'conflict')) throw error;
    const fresh = await readContent(deps, content, signal);
    return writeOn(deps, record, fresh, change, signal);
  }
}

async function writeOn(
  deps: OrderDeps,
  record: OrderRecord,
  fresh: PodSnapshotContent,
  change: Change,
  signal: AbortSignal,
): Promise<PodSnapshotContent | undefined> {
  const status = await change(fresh);
  if (status === undefined) {
    record.written = fresh;
    return undefined;
  }
  const next = parsedContent(
    await patchStatus(deps.kube, keyOf(fresh), fresh.metadata, status, signal),
  );
  record.written = next;
  record.reportedAtMonotonic = deps.clock.monotonicMilliseconds();
  return next;
}

/** Only the holder writes an end. Who turns out not to be it any more forgets its lease and looks again. */
async function confirmed(record: OrderRecord, signal: AbortSignal): Promise<void> {
  try {
    if (record.lease === undefined) throw new Failure('fenced', 'LeaseLost', 'no lease is held');
    await record.lease.confirm(signal);
  } catch (error) {
    if (!isFailure(error, 'fenced')) throw error;
    record.lease = undefined;
    throw new Failure('conflict', 'LeaseLost', error.message, { cause: error });
  }
}

/** Stage and progress of an order that lasts. */
export async function reportStage(
  deps: OrderDeps,
  record: OrderRecord,
  content: PodSnapshotContent,
  shown: Omit<Deed<'reportStage'>, 'do'>,
  signal: AbortSignal,
): Promise<void> {
  const attempts = deps.journal.find(content.metadata.uid)?.attempt ?? 0;
  const before = findCondition(content.status.conditions, 'Progressing')?.reason;
  const next = await write(
    deps,
    record,
    content,
    (fresh) =>
      isTerminal(fresh.status)
        ? undefined
        : stagePatch(fresh, { ...shown, attempts }, deps.nodeName, deps.clock.wallMilliseconds()),
    signal,
  );
  if (next === undefined || before === shown.reason) return;
  const { reason, message } = shown;
  tellSnapshot(deps.announce, content, { type: 'Normal', reason, note: message });
}

/** Whoever takes over from another holder moves the object first, so that no write of the old one still fits. */
export async function announceTakeover(
  deps: OrderDeps,
  record: OrderRecord,
  content: PodSnapshotContent,
  signal: AbortSignal,
): Promise<void> {
  await confirmed(record, signal);
  const message = `taken over by this agent; lease transitions ${record.lease?.fence ?? 0}`;
  const shown = { stage: 'Preparing', reason: 'Preparing', message, progress: undefined } as const;
  await reportStage(deps, record, content, shown, signal);
  record.takeoverUnannounced = false;
}

/** Also when the end stood there already: it may be our own write whose answer was lost. */
const owesFarewell = (record: OrderRecord): boolean =>
  record.written !== undefined && isTerminal(record.written.status);

/** Ready: on an object that was neither cancelled nor deleted at the read it is bound to, under the lease. */
export async function reportReady(
  deps: OrderDeps,
  record: OrderRecord,
  content: PodSnapshotContent,
  signal: AbortSignal,
): Promise<void> {
  const intent = deps.journal.find(content.metadata.uid);
  const facts = intent === undefined ? undefined : parseFacts(intent.facts);
  if (intent === undefined || facts === undefined) {
    throw new Failure('terminal', 'NoIntent', 'the journal does not know what was published');
  }
  const next = await write(
    deps,
    record,
    content,
    async (fresh) => {
      if (isTerminal(fresh.status)) return undefined;
      if (fresh.spec.cancel || fresh.metadata.deletionTimestamp !== undefined) return undefined;
      await confirmed(record, signal);
      const now = deps.clock.wallMilliseconds();
      return readyPatch(fresh, facts, deps.nodeFacts, intent.attempt, now);
    },
    signal,
  );
  record.unfinished = owesFarewell(record);
  if (next === undefined) return;
  deps.metrics.ended('Captured');
  const note = findCondition(next.status.conditions, 'Ready')?.message ?? '';
  tellBoth(deps.announce, next, { type: 'Normal', reason: 'Captured', note });
}

/** The word after Ready that the source has ended. */
export async function reportTerminated(
  deps: OrderDeps,
  record: OrderRecord,
  content: PodSnapshotContent,
  signal: AbortSignal,
): Promise<void> {
  const next = await write(
    deps,
    record,
    content,
    async (fresh) => {
      if (fresh.status.sourceState === 'Terminated') return undefined;
      await confirmed(record, signal);
      return terminatedPatch(deps.clock.wallMilliseconds());
    },
    signal,
  ).catch((error: unknown) => {
    // Deleted meanwhile: nobody is left to be told.
    if (isFailure(error, 'gone')) return undefined;
    throw error;
  });
  if (next === undefined) return;
  const note = 'the source has ended';
  tellBoth(deps.announce, next, { type: 'Normal', reason: 'Captured', note });
}

/** Failed, unless the order has ended already. */
export async function reportFailed(
  deps: OrderDeps,
  record: OrderRecord,
  content: PodSnapshotContent,
  end: Omit<Deed<'reportFailed'>, 'do'>,
  signal: AbortSignal,
): Promise<void> {
  const intent = deps.journal.find(content.metadata.uid);
  const attempts = intent?.attempt ?? 0;
  const startedAt = intent === undefined ? undefined : parseFacts(intent.facts)?.startedAt;
  const next = await write(
    deps,
    record,
    content,
    async (fresh) => {
      if (isTerminal(fresh.status)) return undefined;
      await confirmed(record, signal);
      const now = deps.clock.wallMilliseconds();
      const stageMilliseconds = record.work?.spent();
      const ended = { ...end, attempts, startedAt, stageMilliseconds };
      return failedPatch(fresh, ended, deps.nodeName, now);
    },
    signal,
  );
  record.unfinished = owesFarewell(record);
  if (next === undefined) return;
  deps.metrics.ended(end.reason);
  const note = failureMessage(end.message, end.sourceState);
  tellBoth(deps.announce, next, { type: 'Warning', reason: end.reason, note });
}

/** The node keeps nothing of the content any more; the controller lets the object go. */
export async function reportDeleted(
  deps: OrderDeps,
  record: OrderRecord,
  content: PodSnapshotContent,
  signal: AbortSignal,
): Promise<void> {
  // As decided: an order that never ended well has no bytes worth keeping.
  const retained = content.spec.deletionPolicy === 'Retain' && isTerminal(content.status);
  const bytes = retained ? 'retained' : 'deleted';
  try {
    await write(
      deps,
      record,
      content,
      (fresh) => deletedPatch(fresh, bytes, deps.clock.wallMilliseconds()),
      signal,
    );
  } catch (error) {
    if (!isFailure(error, 'gone')) throw error;
  }
}
