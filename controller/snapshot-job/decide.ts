import { findCondition, isTrue, type Progressing, progressOf } from '../../core/api/conditions.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { FailureReason } from '../../core/api/reasons.ts';
import { isJobOver, trueJobCondition } from '../../core/api/workload.ts';
import type { Decision } from '../../core/decision.ts';
import type {
  ObservedSnapshotJob,
  SnapshotJobAction,
  SnapshotJobPhase,
  SnapshotJobReport,
} from './observed.ts';

type Rule = (observed: ObservedSnapshotJob) => Decision<SnapshotJobAction>;
type Verdict = { readonly reason: FailureReason; readonly message: string };

const nothing: Decision<SnapshotJobAction> = { actions: [] };

/** Time between Completed and the end of its Job: the workload reads `snapshot-complete` and exits by itself. */
const jobGraceMilliseconds = 10_000;
/** For what the cluster does within seconds: collect an object of a former incarnation, say how a Job ended. */
const recheckMilliseconds = 1_000;
const quotaRecheckMilliseconds = 15_000;
/** A capture that takes no longer than this is not followed step by step: it costs no write. */
const lastingMilliseconds = 10_000;
/** The Job says why its pod ended only after the agent saw it end; longer than this a snapshot's own reason is not kept back. */
const jobVerdictGraceMilliseconds = 30_000;
/** Longest time between two looks at a Job that has no pod, or runs: a backstop for lost events. */
const backstopMilliseconds = 30_000;

const fail = ({ reason, message }: Verdict): Decision<SnapshotJobAction> => ({
  actions: [
    {
      do: 'report',
      report: { to: 'Failed', reason, message },
      event: { type: 'Warning', reason, note: message },
    },
  ],
});

const awaitThat = (
  progressing: Progressing,
  againAfterMilliseconds: number,
): Decision<SnapshotJobAction> => ({
  actions: [{ do: 'report', report: { to: 'Waiting', ...progressing } }],
  againAfterMilliseconds,
});

/** Waits for the cluster to collect an object whose name we need. */
const awaitLeaving = (name: string): Decision<SnapshotJobAction> =>
  awaitThat(
    { reason: 'WaitingForPredecessor', message: `Waits for an earlier ${name} to go.` },
    recheckMilliseconds,
  );

/** A snapshot of our name that is not ours: it outlived an earlier SnapshotJob, or somebody else made it. */
function nameTaken({ snapshot }: ObservedSnapshotJob): Decision<SnapshotJobAction> | undefined {
  if (snapshot.state !== 'foreign') return undefined;
  if (snapshot.leaving) return awaitLeaving(`PodSnapshot ${snapshot.name}`);
  return fail({
    reason: 'PodSnapshotNameConflict',
    message: `PodSnapshot ${snapshot.name} exists and does not belong to this SnapshotJob.`,
  });
}

function fresh(observed: ObservedSnapshotJob): Decision<SnapshotJobAction> {
  const { job, rejection, shaped, snapshotJob } = observed;
  const { name } = snapshotJob.metadata;
  if (!shaped.ok) return fail({ reason: 'InvalidSpec', message: shaped.message });
  if (rejection !== undefined) {
    const message = `The API server refused Job ${name}: ${rejection}`;
    return fail({ reason: 'InvalidSpec', message });
  }
  if (observed.quota !== undefined) {
    const message = `The API server does not take Job ${name} yet: ${observed.quota}`;
    return awaitThat({ reason: 'WaitingForQuota', message }, quotaRecheckMilliseconds);
  }
  if (job.state === 'foreign') {
    if (job.leaving) return awaitLeaving(`Job ${name}`);
    const message = `Job ${name} exists and does not belong to this SnapshotJob.`;
    return fail({ reason: 'JobNameConflict', message });
  }
  if (job.state !== 'ours') return nameTaken(observed) ?? { actions: [{ do: 'createJob' }] };
  const note = `Job ${name} runs the source pod.`;
  return {
    actions: [
      {
        do: 'report',
        report: { to: 'Started', jobUID: job.object.metadata.uid },
        event: { type: 'Normal', reason: 'JobCreated', note },
      },
    ],
  };
}

/** Why the source will not go on, or undefined while it may. */
function sourceVerdict(observed: ObservedSnapshotJob): Verdict | undefined {
  const { job, leftMilliseconds = 0, snapshotJob } = observed;
  const { name } = snapshotJob.metadata;
  if (job.state === 'unread') return undefined;
  if (job.state !== 'ours') {
    const after = job.state === 'foreign' ? ', and another one has its name' : '';
    return { reason: 'JobDeleted', message: `Job ${name} was deleted before the capture${after}.` };
  }
  // FailureTarget comes with the decision, Failed only when the last pod has ended.
  const failed =
    trueJobCondition(job.object, 'Failed') ?? trueJobCondition(job.object, 'FailureTarget');
  if (failed !== undefined) {
    const reason = failed.reason === 'DeadlineExceeded' ? 'DeadlineExceeded' : 'JobFailed';
    const said = [failed.reason, failed.message].filter(Boolean).join(': ');
    return { reason, message: `Job ${name} failed before the capture: ${said}` };
  }
  if (trueJobCondition(job.object, 'Complete') !== undefined) {
    const message = `Job ${name} completed before it was captured.`;
    return { reason: 'SourceCompletedWithoutCapture', message };
  }
  if (leftMilliseconds >= 0) return undefined;
  const seconds = snapshotJob.spec.activeDeadlineSeconds;
  const message = `Job ${name} was not captured within ${seconds} s.`;
  return { reason: 'DeadlineExceeded', message };
}

const capturing = (snapshot: PodSnapshot): SnapshotJobAction => ({
  do: 'report',
  report: { to: 'Capturing', snapshot },
  event: {
    type: 'Normal',
    reason: 'SnapshotCreated',
    note: `PodSnapshot ${snapshot.metadata.name} captures the pod of the Job.`,
  },
});

/** What there is to say about a source that goes on: that its pod is Ready, or what its capture waits for, once that lasts. */
function saying(observed: ObservedSnapshotJob): SnapshotJobReport | undefined {
  const { job, snapshot, snapshotAgeMilliseconds, snapshotJob } = observed;
  const isReady = job.state === 'ours' && (job.object.status.ready ?? 0) > 0;
  if (isReady && !isTrue(snapshotJob.status.conditions, 'Running')) return { to: 'Running' };
  if (snapshot.state !== 'ours' || snapshotAgeMilliseconds < lastingMilliseconds) return undefined;
  const progressing = progressOf(snapshot.object.status.conditions);
  return progressing === undefined ? undefined : { to: 'Following', ...progressing };
}

/** Nothing to do now but to say how it goes, and to come back at the deadline at the latest. */
function goingOn(observed: ObservedSnapshotJob): Decision<SnapshotJobAction> {
  const { leftMilliseconds = 0, snapshot, snapshotAgeMilliseconds } = observed;
  const report = saying(observed);
  const young = lastingMilliseconds - snapshotAgeMilliseconds;
  const left = snapshot.state === 'ours' && young > 0 ? young : leftMilliseconds;
  return {
    actions: report === undefined ? [] : [{ do: 'report', report }],
    againAfterMilliseconds: Math.min(Math.max(left, 1_000), backstopMilliseconds),
  };
}

function started(observed: ObservedSnapshotJob): Decision<SnapshotJobAction> {
  const { pod, snapshot } = observed;
  // Found after a crash between its create and the record of it; from here on its own verdict counts.
  if (snapshot.state === 'ours') return { actions: [capturing(snapshot.object)] };
  const verdict = sourceVerdict(observed);
  if (verdict !== undefined) return fail(verdict);
  const taken = nameTaken(observed);
  if (taken !== undefined) return taken;
  return pod === undefined ? goingOn(observed) : { actions: [{ do: 'createSnapshot', pod }] };
}

/** Failures of a snapshot that only say that its source has ended, or that we asked for the end. */
const consequences: ReadonlySet<string> = new Set<FailureReason>([
  'Cancelled',
  'SourcePodNotFound',
  'SourcePodGone',
  'StalePodReference',
  'CheckpointContainerFailed',
]);
/** Failures of a snapshot before any agent had an order. */
const bindFailures: ReadonlySet<string> = new Set<FailureReason>([
  'ContentConflict',
  'SourcePodNotFound',
  'StalePodReference',
]);

/** A source that has ended, and a Job that does not say why yet. */
function isRootCauseDue(observed: ObservedSnapshotJob, reason: string): boolean {
  return (
    reason !== 'Cancelled' &&
    consequences.has(reason) &&
    sourceVerdict(observed) === undefined &&
    observed.sinceSnapshotFailedMilliseconds < jobVerdictGraceMilliseconds
  );
}

/** The root cause of a failed capture: what ended the source where that is why, else the snapshot's own reason. */
function captureVerdict(
  observed: ObservedSnapshotJob,
  name: string,
  failed: { readonly reason: string; readonly message: string },
): Verdict {
  const said = `PodSnapshot ${name} failed (${failed.reason}): ${failed.message}`;
  if (failed.reason === 'DeadlineExceeded') return { reason: 'DeadlineExceeded', message: said };
  const source = consequences.has(failed.reason) ? sourceVerdict(observed) : undefined;
  if (source !== undefined) return { ...source, message: `${source.message} ${said}` };
  const reason = bindFailures.has(failed.reason) ? 'PodSnapshotFailed' : 'CaptureFailed';
  return { reason, message: said };
}

function capture(observed: ObservedSnapshotJob): Decision<SnapshotJobAction> {
  const { snapshot, snapshotJob } = observed;
  const name = snapshotJob.status.podSnapshotName ?? snapshotJob.metadata.name;
  const deleted = `PodSnapshot ${name} was deleted before it was Ready.`;
  if (snapshot.state === 'unread') return nothing;
  if (snapshot.state !== 'ours') return fail({ reason: 'PodSnapshotDeleted', message: deleted });
  const { metadata, spec, status } = snapshot.object;
  // Ready wins over everything that became of the Job.
  if (isTrue(status.conditions, 'Ready')) {
    const note = `PodSnapshot ${name} is captured.`;
    return {
      actions: [
        {
          do: 'report',
          report: { to: 'Completed', snapshot: snapshot.object },
          event: { type: 'Normal', reason: 'CaptureCompleted', note },
        },
      ],
    };
  }
  const failed = findCondition(status.conditions, 'Failed');
  if (failed?.status === 'True') {
    return isRootCauseDue(observed, failed.reason)
      ? { actions: [], againAfterMilliseconds: recheckMilliseconds }
      : fail(captureVerdict(observed, name, failed));
  }
  if (metadata.deletionTimestamp !== undefined) {
    return fail({ reason: 'PodSnapshotDeleted', message: deleted });
  }
  // A source that completed may have been captured already, so only its snapshot can tell; and one that is told to end will end.
  const reason = sourceVerdict(observed)?.reason;
  const isHopeless = reason === 'JobFailed' || reason === 'DeadlineExceeded';
  if (isHopeless && !spec.cancel) {
    return { actions: [{ do: 'cancelSnapshot', snapshot: snapshot.object }] };
  }
  return reason === undefined ? goingOn(observed) : { actions: [] };
}

function completed({ job, sinceCompletedMilliseconds }: ObservedSnapshotJob) {
  if (job.state !== 'ours') return nothing;
  const left = jobGraceMilliseconds - sinceCompletedMilliseconds;
  if (left > 0 && !isJobOver(job.object)) return { actions: [], againAfterMilliseconds: left };
  const { name, uid } = job.object.metadata;
  return { actions: [{ do: 'deleteJob', name, uid } as const] };
}

/** The Job is kept, so that its log can be read. One that is not on record was made by a controller that had lost the lease, and runs for nothing. */
function failed({ job, snapshotJob }: ObservedSnapshotJob): Decision<SnapshotJobAction> {
  if (job.state !== 'ours') return nothing;
  const { name, uid } = job.object.metadata;
  const isStray = uid !== snapshotJob.status.sourceJobUID;
  return isStray ? { actions: [{ do: 'deleteJob', name, uid }] } : nothing;
}

/** Nothing is waited for longer than the whole would have been given: whoever holds the name may hold it for ever. */
function freshInTime(observed: ObservedSnapshotJob): Decision<SnapshotJobAction> {
  const decision = fresh(observed);
  const isWaiting = decision.againAfterMilliseconds !== undefined;
  if (!isWaiting || (observed.leftMilliseconds ?? 0) >= 0) return decision;
  const { metadata, spec } = observed.snapshotJob;
  const message = `Job ${metadata.name} could not begin within ${spec.activeDeadlineSeconds} s.`;
  return fail({ reason: 'DeadlineExceeded', message });
}

/** One rule for each phase. Completed and Failed are ends. */
export const rules = {
  New: freshInTime,
  Started: started,
  Capturing: capture,
  Completed: completed,
  Failed: failed,
} satisfies Record<SnapshotJobPhase, Rule>;

/** Pure and total: what to do about a SnapshotJob. One that is being deleted is left to the cluster's garbage collector. */
export function decide(observed: ObservedSnapshotJob): Decision<SnapshotJobAction> {
  return observed.deleting ? nothing : rules[observed.phase](observed);
}
