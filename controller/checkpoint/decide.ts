import { findCondition, isTrue } from '../../core/api/conditions.ts';
import type { CheckpointPhase } from '../../core/api/dynamo-checkpoint.ts';
import { checkpointJobName } from '../../core/api/names.ts';
import { type FailureReason, isFailureReason } from '../../core/api/reasons.ts';
import { isJobOver, type Job, trueJobCondition } from '../../core/api/workload.ts';
import type { Decision } from '../../core/decision.ts';
import type { CheckpointAction, ObservedCheckpoint } from './observed.ts';

type Rule = (observed: ObservedCheckpoint) => Decision<CheckpointAction>;

const nothing: Decision<CheckpointAction> = { actions: [] };

/** Time between Ready and the end of its Job: the workload reads `snapshot-complete` and exits by itself. */
const jobGraceMilliseconds = 10_000;
/** An object of a former incarnation is collected by the cluster within seconds. */
const leavingRecheckMilliseconds = 1_000;

/** Failures that a fresh Job can mend; the others would only repeat themselves. */
const worthRetrying: ReadonlySet<string> = new Set<FailureReason>([
  'JobFailed',
  'SourcePodNotFound',
  'SourcePodGone',
  'StalePodReference',
  'ContainerNotResolved',
  'ContainerChanged',
  'CheckpointContainerFailed',
  'CheckpointFailed',
  'LeaseCancelled',
  'FreezeBudgetExceeded',
  'StorageError',
  'NodeLost',
  'ContentLost',
]);

function fail(reason: FailureReason, message: string): Decision<CheckpointAction> {
  return {
    actions: [
      {
        do: 'report',
        report: { to: 'Failed', reason, message },
        event: { type: 'Warning', reason, note: message },
      },
    ],
  };
}

/** The end of one attempt: the next one where the checkpoint has any left, else Failed. */
function endAttempt(
  observed: ObservedCheckpoint,
  reason: FailureReason,
  message: string,
): Decision<CheckpointAction> {
  const limit = observed.checkpoint.spec.job.backoffLimit ?? 0;
  if (observed.attempt >= limit || !worthRetrying.has(reason)) return fail(reason, message);
  const next = observed.attempt + 1;
  const note = `Attempt ${next} of ${limit + 1} failed, a fresh Job follows: ${message}`;
  return {
    actions: [
      {
        do: 'report',
        report: {
          to: 'Retry',
          jobName: checkpointJobName(observed.ids.checkpointID, next),
          reason,
          message: note,
        },
        event: { type: 'Warning', reason, note },
      },
    ],
  };
}

const deleteJobs = (jobs: readonly Job[]): readonly CheckpointAction[] =>
  jobs.map(({ metadata }) => ({ do: 'deleteJob', name: metadata.name, uid: metadata.uid }));

/** Waits for the cluster to collect an object whose name we need. */
function awaitLeaving(name: string): Decision<CheckpointAction> {
  const message = `Waits for ${name} of an earlier checkpoint to go.`;
  return {
    actions: [{ do: 'report', report: { to: 'Waiting', message } }],
    againAfterMilliseconds: leavingRecheckMilliseconds,
  };
}

function pending(observed: ObservedCheckpoint): Decision<CheckpointAction> {
  const { job, jobName, older, rejection, shaped } = observed;
  if (older !== undefined) {
    const id = observed.ids.checkpointID;
    return fail(
      'DuplicateCheckpoint',
      `The older DynamoCheckpoint ${older} has checkpoint ID ${id} too.`,
    );
  }
  if (!shaped.ok) return fail(shaped.reason, shaped.message);
  if (rejection !== undefined) {
    return fail('JobRejected', `The API server refused Job ${jobName}: ${rejection}`);
  }
  if (job.state === 'foreign') {
    return job.leaving
      ? awaitLeaving(`Job ${jobName}`)
      : fail('JobConflict', `Job ${jobName} exists and does not belong to this checkpoint.`);
  }
  return {
    actions: [
      ...deleteJobs(observed.leftoverJobs),
      ...(job.state === 'ours' ? [] : [{ do: 'createJob' } as const]),
      {
        do: 'report',
        report: { to: 'Creating', jobName },
        event: {
          type: 'Normal',
          reason: 'JobCreated',
          note: `Job ${jobName} runs the source pod.`,
        },
      },
    ],
  };
}

/** Why a Job will not go on, or undefined while it runs. */
function jobVerdict(
  observed: ObservedCheckpoint,
): { readonly reason: FailureReason; readonly message: string } | undefined {
  const { job, jobName } = observed;
  if (job.state === 'unread') return undefined;
  if (job.state === 'missing') {
    return { reason: 'JobFailed', message: `Job ${jobName} was deleted before the capture.` };
  }
  if (job.state === 'foreign') {
    return {
      reason: 'JobConflict',
      message: `Job ${jobName} was replaced by one that is not ours.`,
    };
  }
  const failed = trueJobCondition(job.object, 'Failed');
  if (failed !== undefined) {
    const reason = failed.reason === 'DeadlineExceeded' ? 'DeadlineExceeded' : 'JobFailed';
    const said = [failed.reason, failed.message].filter(Boolean).join(': ');
    return { reason, message: `Job ${jobName} failed before the capture: ${said}` };
  }
  if (trueJobCondition(job.object, 'Complete') !== undefined) {
    return { reason: 'JobFailed', message: `Job ${jobName} completed before it was captured.` };
  }
  return undefined;
}

/** The snapshot's own verdict. Ready wins over everything that a Job may say. */
function fromSnapshot(observed: ObservedCheckpoint): Decision<CheckpointAction> | undefined {
  const { snapshot } = observed;
  if (snapshot.state !== 'ours') return undefined;
  const { metadata, status } = snapshot.object;
  if (isTrue(status.conditions, 'Ready')) {
    const note = `PodSnapshot ${metadata.name} is captured.`;
    return {
      actions: [
        {
          do: 'report',
          report: { to: 'Ready', snapshot: snapshot.object },
          event: { type: 'Normal', reason: 'Captured', note },
        },
      ],
    };
  }
  const failed = findCondition(status.conditions, 'Failed');
  if (failed?.status === 'True') {
    const verdict = failed.reason === 'Cancelled' ? jobVerdict(observed) : undefined;
    if (verdict !== undefined) return endAttempt(observed, verdict.reason, verdict.message);
    const reason = isFailureReason(failed.reason) ? failed.reason : 'CheckpointFailed';
    return endAttempt(observed, reason, `PodSnapshot ${metadata.name} failed: ${failed.message}`);
  }
  if (metadata.deletionTimestamp !== undefined) {
    return fail('SnapshotDeleted', `PodSnapshot ${metadata.name} was deleted before it was Ready.`);
  }
  return undefined;
}

function withoutSnapshot(observed: ObservedCheckpoint): Decision<CheckpointAction> {
  const { checkpoint, job, pod, snapshot } = observed;
  const recorded = checkpoint.status.podSnapshotName;
  if (snapshot.state === 'missing' && recorded !== undefined) {
    return fail('SnapshotDeleted', `PodSnapshot ${recorded} was deleted before it was Ready.`);
  }
  const verdict = jobVerdict(observed);
  if (verdict !== undefined) return endAttempt(observed, verdict.reason, verdict.message);
  if (snapshot.state === 'foreign') {
    return snapshot.leaving
      ? awaitLeaving(`PodSnapshot ${snapshot.name}`)
      : fail(
          'SnapshotConflict',
          `PodSnapshot ${snapshot.name} exists and does not belong to this checkpoint.`,
        );
  }
  if (pod === undefined || job.state !== 'ours') return nothing;
  return {
    actions: [
      { do: 'createSnapshot', pod, jobUID: job.object.metadata.uid },
      capturing(observed, observed.snapshotName),
    ],
  };
}

const capturing = (observed: ObservedCheckpoint, podSnapshotName: string): CheckpointAction => ({
  do: 'report',
  report: { to: 'Capturing', jobName: observed.jobName, podSnapshotName },
  event: {
    type: 'Normal',
    reason: 'SnapshotCreated',
    note: `PodSnapshot ${podSnapshotName} captures the pod of Job ${observed.jobName}.`,
  },
});

function creating(observed: ObservedCheckpoint): Decision<CheckpointAction> {
  const decided = fromSnapshot(observed);
  if (decided !== undefined) return decided;
  const { snapshot } = observed;
  if (snapshot.state !== 'ours') return withoutSnapshot(observed);
  // A Job that is gone (its TTL) says nothing about a capture under way: the snapshot has a deadline of its own.
  if (observed.job.state !== 'missing' && jobVerdict(observed) !== undefined) {
    // Asked to end, and its own end awaited: the order may be Ready already, with the news still on its way to the snapshot.
    return snapshot.object.spec.cancel
      ? nothing
      : { actions: [{ do: 'cancelSnapshot', snapshot: snapshot.object }] };
  }
  // Adopted after a crash between the create and the record of it.
  return observed.checkpoint.status.podSnapshotName === undefined
    ? { actions: [capturing(observed, snapshot.object.metadata.name)] }
    : nothing;
}

/** With a TTL the Job is the cluster's to collect. */
const keepsJobs = (observed: ObservedCheckpoint): boolean =>
  observed.checkpoint.spec.job.ttlSecondsAfterFinished !== undefined;

function ready(observed: ObservedCheckpoint): Decision<CheckpointAction> {
  const { leftoverJobs, sinceReadyMilliseconds } = observed;
  if (keepsJobs(observed) || leftoverJobs.length === 0) return nothing;
  const left = jobGraceMilliseconds - sinceReadyMilliseconds;
  if (left > 0 && !leftoverJobs.every(isJobOver)) {
    return { actions: [], againAfterMilliseconds: left };
  }
  return { actions: deleteJobs(leftoverJobs) };
}

function failed(observed: ObservedCheckpoint): Decision<CheckpointAction> {
  return keepsJobs(observed) ? nothing : { actions: deleteJobs(observed.leftoverJobs) };
}

/** One rule for each phase. Ready and Failed are ends: their rules only clear away the Jobs. */
export const rules = {
  Pending: pending,
  Creating: creating,
  Ready: ready,
  Failed: failed,
} satisfies Record<CheckpointPhase, Rule>;

/** Pure and total: what to do about a checkpoint. One that is being deleted is left to the cluster's garbage collector. */
export function decide(observed: ObservedCheckpoint): Decision<CheckpointAction> {
  return observed.deleting ? nothing : rules[observed.phase](observed);
}
