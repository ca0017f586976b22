import { timestamp } from '../../core/api/conditions.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { errorText, Failure, isFailure } from '../../core/failure.ts';
import { firstTransitions } from '../../runtime/lease-move.ts';
import { tellSnapshot } from './announce.ts';
import { isTerminal } from './decide.ts';
import { deletePod, endSource, runSource } from './end-source.ts';
import { parseFacts } from './facts.ts';
import { passGate, removeLabel } from './gate.ts';
import type { Action } from './observed.ts';
import type { OrderRecord } from './record.ts';
import {
  announceTakeover,
  readContent,
  reportDeleted,
  reportFailed,
  reportReady,
  reportStage,
  reportTerminated,
} from './report.ts';
import { settleIntent } from './settle.ts';
import { nameContainers, targetContainers } from './source-check.ts';
import { priorityOf, sourcePod } from './source-pod.ts';
import type { OrderState } from './state.ts';
import type { Claim } from './turn.ts';
import { referenceKeyOf, type WorkOrder } from './work.ts';
import { CaptureWork } from './worker.ts';

/** What an effect works on. `content` is undefined only when the object is gone. */
export type Scene = {
  readonly state: OrderState;
  readonly record: OrderRecord;
  readonly uid: string;
  readonly content: PodSnapshotContent | undefined;
  readonly signal: AbortSignal;
};

/** A scene whose content is there; effects that need it are only decided for such. */
type Play = Scene & { readonly content: PodSnapshotContent };

type Effects = {
  readonly [Name in Action['do']]: (
    scene: Play,
    action: Extract<Action, { do: Name }>,
  ) => void | Promise<void>;
};

/** A lease held by somebody else is asked for again after this long at the latest: it may be released early. */
const askAgainMilliseconds = 5000;

/** How each action is carried out. Every one may be cut short and done again. */
const effects: Effects = {
  gate: async ({ state, record, content, signal }) => {
    record.gate = await passGate(state.deps, content, signal);
  },
  settle: async ({ state, uid, signal }) => {
    const intent = state.deps.journal.find(uid);
    if (intent !== undefined) await settleIntent(state.deps, intent, signal);
  },
  queue: ({ state, record, content }) => {
    record.queuedAtMonotonic ??= state.deps.clock.monotonicMilliseconds();
    state.turns.claim(claimOf(state, content));
  },
  yieldTurn: ({ state, uid }) => state.turns.yield(uid),
  takeLease: async ({ state, record, content, signal }) => {
    const tried = await state.deps.lease(content, signal);
    if (tried.held) {
      record.lease = tried.lease;
      record.takeoverUnannounced = tried.lease.fence > firstTransitions;
      record.leaseElsewhere = undefined;
      return;
    }
    const wait = Math.min(tried.againInMilliseconds, askAgainMilliseconds);
    const untilMonotonic = state.deps.clock.monotonicMilliseconds() + wait;
    record.leaseElsewhere = { message: tried.message, untilMonotonic };
  },
  announceTakeover: ({ state, record, content, signal }) =>
    announceTakeover(state.deps, record, content, signal),
  startWork: (scene) => startWork(scene),
  cancelWork: ({ record }, { reason, message }) => {
    record.work?.cancel(new Failure('terminal', reason, message));
  },
  note: ({ state, record }, { stage, reason }) => {
    const now = state.deps.clock.monotonicMilliseconds();
    if (stage === 'Queued') record.queuedAtMonotonic ??= now;
    record.note = { stage, reason, sinceMonotonic: now };
  },
  reportStage: ({ state, record, content, signal }, shown) =>
    reportStage(state.deps, record, content, shown, signal),
  reportReady: ({ state, record, content, signal }) =>
    reportReady(state.deps, record, content, signal),
  reportFailed: ({ state, record, content, signal }, end) =>
    reportFailed(state.deps, record, content, end, signal),
  discardArtifact: async ({ state, content, signal }, { onFailure }) => {
    const staging = state.deps.journal.find(content.metadata.uid)?.stagingDirectory || undefined;
    try {
      await state.deps.artifacts.discard(referenceKeyOf(content), staging, signal);
    } catch (error) {
      if (onFailure === 'retry') throw error;
      // Not lost: the intent stays open, and the farewell of the ended order discards again until it is done.
      const fields = { contentUID: content.metadata.uid, error: errorText(error) };
      state.deps.log.warn(fields, 'the artifact of a failed order is not discarded yet');
    }
  },
  reportDeleted: ({ state, record, content, signal }) =>
    reportDeleted(state.deps, record, content, signal),
  deletePod: ({ state, content, signal }) => deletePod(state.deps, content, signal),
  endSource: async ({ state, uid, content, signal }) => {
    const intent = state.deps.journal.find(uid);
    if (intent !== undefined) await endSource(state.deps, content, intent, signal);
  },
  runSource: async ({ state, uid, signal }) => {
    const intent = state.deps.journal.find(uid);
    if (intent !== undefined) await runSource(state.deps, intent, signal);
  },
  reportTerminated: ({ state, record, content, signal }) =>
    reportTerminated(state.deps, record, content, signal),
  sentinel: (scene, { name, text }) => sentinel(scene, name, text),
  unlabel: async ({ state, record, content, signal }) => {
    record.unlabelledVersion = await removeLabel(state.deps, content, signal);
  },
  dropStaging: async ({ state, uid }) => {
    const path = state.deps.journal.find(uid)?.stagingDirectory ?? '';
    if (path !== '') await state.deps.staging.drop(path);
  },
  releaseLease: async ({ record }) => {
    const { lease } = record;
    record.lease = undefined;
    await lease?.release();
  },
  closeIntent: ({ state, uid }) => state.deps.journal.finish(uid),
  forget: ({ state, uid }) => {
    state.turns.yield(uid);
    state.deps.space.release(uid);
    state.book.forget(uid);
  },
  again: () => {},
};

function queuedFor({ deps }: OrderState, record: OrderRecord): number {
  const now = deps.clock.monotonicMilliseconds();
  return Math.round(now - (record.queuedAtMonotonic ?? now));
}

const claimOf = ({ deps }: OrderState, content: PodSnapshotContent): Claim => ({
  uid: content.metadata.uid,
  priority: priorityOf(deps, content),
  since: Date.parse(content.metadata.creationTimestamp) || 0,
});

async function startWork(scene: Play): Promise<void> {
  const { state, record, uid, signal } = scene;
  const { deps, turns, enqueue } = state;
  // Caches lag and lists may be old; what freezes a process looks at the order as it is now.
  const content = await readContent(deps, scene.content, signal);
  record.written = content;
  const moved = isTerminal(content.status) || content.spec.cancel;
  if (moved || content.metadata.deletionTimestamp !== undefined) return;
  const intent = deps.journal.find(uid);
  const resumable = intent?.step === 'dumped' || intent?.step === 'publishing';
  const pod = resumable ? undefined : await sourcePod(deps, content, signal);
  if (record.lease === undefined || (pod === undefined && !resumable)) {
    throw new Failure('conflict', 'OrderMoved', 'the order changed before its work began');
  }
  const facts = intent === undefined ? undefined : parseFacts(intent.facts);
  const order: WorkOrder = {
    content,
    containers: targetContainers(content),
    lease: record.lease,
    attempt: resumable
      ? (intent?.attempt ?? 1)
      : (intent?.attempt ?? content.status.attempts ?? 0) + 1,
    spent: resumable ? (facts?.stageMilliseconds ?? {}) : { queued: queuedFor(state, record) },
    startedAt: facts?.startedAt ?? timestamp(deps.clock.wallMilliseconds()),
    from:
      pod === undefined
        ? { start: 'staging' }
        : { start: 'pod', pod, earlier: intent?.processes ?? [] },
  };
  const work = new CaptureWork(deps, order, {
    changed: () => {
      // An interrupted worker leaves nothing to look at: what comes next is in the journal.
      if (work.end?.end === 'interrupted' && record.work === work) record.work = undefined;
      enqueue(record.contentName);
    },
    thawed: () => turns.yield(uid),
    publishTurns: state.publishTurns,
    claim: claimOf(state, content),
  });
  record.work = work;
}

/** A workload that waits for a word is told; one without a control volume, or gone, is not, and nothing else depends on it. */
async function sentinel(scene: Play, name: string, text: string): Promise<void> {
  const { state, content, signal } = scene;
  const { deps } = state;
  const pod = await sourcePod(deps, content, signal);
  if (pod === undefined || pod.metadata.uid !== content.spec.source.podRef?.uid) return;
  const containers = targetContainers(content);
  let told = false;
  for (const container of containers) {
    try {
      told = (await deps.sources.tell(pod, container, name, text)) || told;
    } catch (error) {
      if (!isFailure(error, 'gone', 'terminal')) throw error;
      told = true;
      const note = `${name} was not written: ${error.message}`;
      tellSnapshot(deps.announce, content, { type: 'Warning', reason: 'Finishing', note });
    }
  }
  if (told) return;
  const note = `${name} was not written: ${nameContainers(containers)} mounts no control volume`;
  tellSnapshot(deps.announce, content, { type: 'Normal', reason: 'Finishing', note });
}

/** Actions that make sense without the object. */
const contentFree: readonly Action['do'][] = [
  'settle',
  'runSource',
  'cancelWork',
  'dropStaging',
  'releaseLease',
  'closeIntent',
  'forget',
  'again',
];

/** Carries out one action. */
export async function perform(scene: Scene, action: Action): Promise<void> {
  if (scene.content === undefined && !contentFree.includes(action.do)) {
    throw new Failure('terminal', 'NoContent', `${action.do} needs a work order that is gone`);
  }
  // The table is typed by action; the one cast of a dispatch, guarded by the line above.
  const effect = effects[action.do] as (scene: Scene, action: Action) => void | Promise<void>;
  await effect(scene, action);
}
