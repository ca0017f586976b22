import { findCondition, isTrue } from '../../core/api/conditions.ts';
import { sentinels } from '../../core/api/names.ts';
import type { Progress } from '../../core/api/pod-snapshot.ts';
import type { ContentStatus, PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { FailureReason, ProgressReason } from '../../core/api/reasons.ts';
import type { SourceState, Stage } from '../../core/api/stages.ts';
import { committing, isCommitting, mayStand } from './committing.ts';
import type { Action, Observed } from './observed.ts';

/** Attempts that may be cut short (agent killed, lease lost) before the order fails. */
export const maximumAttempts = 3;

/** A stage is written only once it has lasted this long: quick orders cost no stage writes. */
export const quietMilliseconds = 1500;

/** The kernel's averages are over 10 s. */
const heldBackMilliseconds = 5000;

/** Stage and progress are written at most this often for one order. */
export const reportEveryMilliseconds = 2000;

/** A cancel this close to the deadline is the controller's way of enforcing it: both measure on clocks with whole seconds. */
const deadlineSlackMilliseconds = 2000;

/** Where an order stands for this process; derived from facts on every round. */
export const phases = [
  'Gone',
  'Committing',
  'Foreign',
  'Deleting',
  'Ended',
  'Working',
  'Failing',
  'Published',
  'Resumable',
  'Unsettled',
  'Ungated',
  'Waiting',
  'Capturable',
] as const;
export type Phase = (typeof phases)[number];

/** An observation whose content is there. */
export type Case = Observed & { readonly content: PodSnapshotContent };
type Rule = (o: Case) => readonly Action[];

/** Ready=True or Failed=True: never left again. */
export const isTerminal = (status: ContentStatus): boolean =>
  isTrue(status.conditions, 'Ready') || isTrue(status.conditions, 'Failed');

/** The phase of an observation; the order of the questions is the meaning. */
export function phaseOf(o: Observed): Phase {
  if (o.content === undefined) return 'Gone';
  if (isCommitting(o)) return 'Committing';
  if (!o.mine) return 'Foreign';
  if (o.content.metadata.deletionTimestamp !== undefined) return 'Deleting';
  if (isTerminal(o.content.status)) return 'Ended';
  if (o.work.state === 'running') return 'Working';
  if (o.work.state === 'failed') return 'Failing';
  if (o.intent?.step === 'published') return 'Published';
  if (o.intent?.step === 'dumped' || o.intent?.step === 'publishing') return 'Resumable';
  if (o.intent !== undefined && !o.intent.settled) return 'Unsettled';
  if (o.gate !== 'passed') return 'Ungated';
  return o.source?.state === 'ready' ? 'Capturable' : 'Waiting';
}

const again = (afterMilliseconds: number): Action => ({ do: 'again', afterMilliseconds });

/** Why the order must stop now, if it must. */
function stopOf(o: Case): { readonly reason: FailureReason; readonly message: string } | undefined {
  const left = o.deadlineLeftMilliseconds;
  const late =
    left !== undefined && left <= (o.content.spec.cancel ? deadlineSlackMilliseconds : 0);
  if (late) {
    const message = `not finished within spec.deadlineSeconds (${o.content.spec.deadlineSeconds})`;
    return { reason: 'DeadlineExceeded', message };
  }
  if (o.content.spec.cancel) return { reason: 'Cancelled', message: 'cancelled by spec.cancel' };
  return undefined;
}

/** Keeps status up to date with what lasts: nothing for quick stages, then at most one write per interval. */
function show(
  o: Case,
  stage: Stage,
  reason: ProgressReason,
  message: string,
  progress: Progress | undefined,
): readonly Action[] {
  const note = o.note;
  if (note === undefined || note.stage !== stage || note.reason !== reason) {
    return [{ do: 'note', stage, reason }, again(quietMilliseconds)];
  }
  if (note.forMilliseconds < quietMilliseconds) {
    return [again(quietMilliseconds - note.forMilliseconds)];
  }
  const next = progress === undefined ? [] : [again(reportEveryMilliseconds)];
  const status = o.content.status;
  const shown = findCondition(status.conditions, 'Progressing');
  const same = status.stage === stage && shown?.reason === reason && shown.message === message;
  if (same && status.progress?.bytesDone === progress?.bytesDone) return next;
  if (note.sinceReportMilliseconds < reportEveryMilliseconds) {
    return [again(reportEveryMilliseconds - note.sinceReportMilliseconds)];
  }
  return [{ do: 'reportStage', stage, reason, message, progress }, ...next];
}

/** Stages that only the holder of the lease writes; one who waits for it keeps silent then. */
const holderStages: readonly Stage[] = ['Preparing', 'Freezing', 'Publishing', 'Finishing'];

/** Nobody writes an end, or begins to dump, without the order's Lease: two agents must not contradict each other. */
function withLease(o: Case, actions: readonly Action[]): readonly Action[] {
  if (o.lease.state === 'held') {
    return o.lease.takeoverUnannounced ? [{ do: 'announceTakeover' }, again(0)] : actions;
  }
  if (o.lease.state === 'elsewhere' && o.lease.againMilliseconds > 0) {
    const wait = [{ do: 'yieldTurn' } as const, again(o.lease.againMilliseconds)];
    if (holderStages.includes(o.content.status.stage)) return wait;
    return [...wait, ...show(o, 'Waiting', 'WaitingForLease', o.lease.message, undefined)];
  }
  return [{ do: 'takeLease' }, again(0)];
}

/** Failed, under the lease; what may have been published is taken back first. */
function fail(
  o: Case,
  end: { readonly reason: FailureReason; readonly message: string },
  sourceState: SourceState,
): readonly Action[] {
  return withLease(o, [
    ...(mayStand(o) ? [{ do: 'discardArtifact', onFailure: 'go on' } as const] : []),
    { do: 'reportFailed', reason: end.reason, message: end.message, sourceState },
    again(0),
  ]);
}

function stopWork(o: Observed, reason: FailureReason, message: string): readonly Action[] {
  if (o.work.state !== 'running' || o.work.cancelling) return [];
  return [{ do: 'cancelWork', reason, message }];
}

/** Steps after which a dead agent leaves nothing that could be gone on with. */
const unfinishedSteps: readonly string[] = ['staging', 'dumping', 'holding'];

const isUnsettled = (o: Observed): boolean =>
  o.intent !== undefined && unfinishedSteps.includes(o.intent.step) && !o.intent.settled;

const settleFirst: readonly Action[] = [{ do: 'settle' }, again(0)];

/** What is owed to the workload when the order has ended. */
function farewell(o: Case): readonly Action[] {
  const { conditions, artifact } = o.content.status;
  const failed = findCondition(conditions, 'Failed');
  const ready = isTrue(conditions, 'Ready');
  const owed = o.intent !== undefined || o.unfinished;
  const tell: Action = ready
    ? {
        do: 'sentinel',
        name: sentinels.snapshotComplete,
        text: `captured ${artifact?.digest ?? ''}`,
      }
    : {
        do: 'sentinel',
        name: sentinels.snapshotFailed,
        text: `${failed?.reason ?? 'Cancelled'}: ${failed?.message ?? 'the snapshot is being deleted'}`,
      };
  return [...(owed ? [tell] : []), ...(o.labelled ? [{ do: 'unlabel' } as const] : [])];
}

/** Everything this process and this node keep for the order. */
const closing = (o: Observed): readonly Action[] => [
  ...(o.intent === undefined ? [] : [{ do: 'dropStaging' } as const]),
  { do: 'releaseLease' },
  ...(o.intent === undefined ? [] : [{ do: 'closeIntent' } as const]),
  { do: 'forget' },
];

function deleting(o: Case): readonly Action[] {
  if (o.work.state === 'running') return stopWork(o, 'Cancelled', 'the snapshot is being deleted');
  if (isUnsettled(o)) return settleFirst;
  if (isTrue(o.content.status.conditions, 'ArtifactDeleted'))
    return [...farewell(o), ...closing(o)];
  const keep = o.content.spec.deletionPolicy === 'Retain' && isTerminal(o.content.status);
  const actions: readonly Action[] = [
    ...farewell(o),
    ...(keep ? [] : [{ do: 'discardArtifact', onFailure: 'retry' } as const]),
    { do: 'reportDeleted' },
    ...closing(o),
  ];
  return isTerminal(o.content.status) ? actions : withLease(o, actions);
}

function ended(o: Case): readonly Action[] {
  if (o.work.state === 'running') return stopWork(o, 'Cancelled', 'the order has been ended');
  if (isUnsettled(o)) return settleFirst;
  const discard = isTrue(o.content.status.conditions, 'Failed') && mayStand(o);
  return [
    ...farewell(o),
    ...(discard ? [{ do: 'discardArtifact', onFailure: 'retry' } as const] : []),
    ...closing(o),
  ];
}

function working(o: Case): readonly Action[] {
  if (o.work.state !== 'running') return [];
  const stop = stopOf(o);
  if (stop !== undefined) return stopWork(o, stop.reason, stop.message);
  const { stage, progress, waitsFor } = o.work;
  if (waitsFor !== undefined) return show(o, stage, 'Queued', waitsFor, progress);
  const held = stage === 'Publishing' && o.content.spec.afterCapture === 'Terminate';
  return show(o, stage, stage, held ? heldMessage : messages[stage], progress);
}

const heldMessage = 'the source stays frozen until the artifact is stored, and then ends';

const messages = {
  Preparing: 'looking for what could go wrong in the freeze',
  Freezing: 'the source is frozen while its memory and files are written',
  Publishing: 'the source runs; the artifact is being stored',
} as const;

function capturable(o: Case): readonly Action[] {
  const stop = stopOf(o);
  if (stop !== undefined) return fail(o, stop, o.intent === undefined ? 'Untouched' : 'Running');
  if ((o.intent?.attempt ?? 0) >= maximumAttempts) {
    const message = `${maximumAttempts} attempts were cut short before they ended`;
    return fail(o, { reason: 'CheckpointFailed', message }, 'Running');
  }
  // Who has to wait for the lease must not keep others from the turn meanwhile.
  if (o.lease.state === 'elsewhere' && o.lease.againMilliseconds > 0) return withLease(o, []);
  if (o.heldBack !== undefined) {
    // Whoever may go on must not wait behind one who may not.
    const wait = [{ do: 'yieldTurn' } as const, again(heldBackMilliseconds)];
    return [...wait, ...show(o, 'Queued', 'Queued', o.heldBack, undefined)];
  }
  if (o.turn.state === 'none') return [{ do: 'queue' }, again(0)];
  if (o.turn.state === 'queued') {
    const { place, limit } = o.turn;
    const message = `place ${place} in the queue of this node; dumps at a time: ${limit}`;
    return show(o, 'Queued', 'Queued', message, undefined);
  }
  return withLease(o, [{ do: 'startWork' }, again(0)]);
}

const rules = {
  Gone: () => [],
  Committing: (o) => committing(o, withLease, closing(o)),
  Foreign: () => [{ do: 'forget' }],
  Deleting: deleting,
  Ended: ended,
  Working: working,
  Failing: (o) => (o.work.state === 'failed' ? fail(o, o.work, o.work.sourceState) : []),
  // Past the deadline Ready still wins: the bytes are durable, and only the controller's cancel can say otherwise.
  Published: (o) =>
    o.content.spec.cancel
      ? fail(o, { reason: 'Cancelled', message: 'cancelled by spec.cancel' }, 'Running')
      : withLease(o, [{ do: 'reportReady' }, again(0)]),
  Resumable: (o) => {
    const stop = stopOf(o);
    return stop === undefined
      ? withLease(o, [{ do: 'startWork' }, again(0)])
      : fail(o, stop, 'Running');
  },
  Unsettled: () => settleFirst,
  Ungated: (o) => {
    const stop = stopOf(o);
    if (stop !== undefined) return fail(o, stop, o.intent === undefined ? 'Untouched' : 'Running');
    if (o.refusals.length > 0) {
      return fail(o, { reason: 'PreflightFailed', message: o.refusals.join('; ') }, 'Untouched');
    }
    if (o.gate !== 'open' && o.gate !== 'passed') return fail(o, o.gate, 'Untouched');
    return [{ do: 'gate' }, again(0)];
  },
  Waiting: (o) => {
    const stop = stopOf(o);
    const touched = o.intent === undefined ? 'Untouched' : 'Running';
    if (stop !== undefined) return fail(o, stop, touched);
    if (o.source?.state === 'lost') return fail(o, o.source, touched);
    const message = o.source?.state === 'waiting' ? o.source.message : 'looking at the source';
    return [{ do: 'yieldTurn' }, ...show(o, 'Waiting', 'WaitingForPodReady', message, undefined)];
  },
  Capturable: capturable,
} as const satisfies Record<Phase, Rule>;

/** The cache no longer has the content: only what this node keeps for it is cleared; nothing in the store is touched on that ground. */
function gone(o: Observed): readonly Action[] {
  if (o.work.state === 'running') return stopWork(o, 'Cancelled', 'the work order is gone');
  if (isUnsettled(o)) return settleFirst;
  return isCommitting(o) ? [{ do: 'runSource' }, again(0)] : closing(o);
}

/** What to do next; pure and total. The earliest `again` counts. */
export function decide(o: Observed): readonly Action[] {
  if (o.content === undefined) return gone(o);
  const phase = phaseOf(o);
  const actions = rules[phase]({ ...o, content: o.content });
  const left = o.deadlineLeftMilliseconds;
  const open = !['Committing', 'Foreign', 'Deleting', 'Ended'].includes(phase);
  return open && left !== undefined && left > 0 ? [...actions, again(left)] : actions;
}
