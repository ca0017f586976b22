import { readyAndFailed, withCondition } from '../../core/api/conditions.ts';
import type { CheckpointPhase, DynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import type { CheckpointIDs } from './identity-hash.ts';
import type { CheckpointReport } from './observed.ts';

type Changes = {
  readonly phase: CheckpointPhase;
  readonly message: string;
  readonly conditions: DynamoCheckpoint['status']['conditions'];
  readonly [field: string]: unknown;
};

/** Sets conditions one after the other on a checkpoint's list. */
function conditionsOf(
  checkpoint: DynamoCheckpoint,
  wanted: readonly (readonly [string, 'True' | 'False', string, string])[],
  now: string,
) {
  let conditions: DynamoCheckpoint['status']['conditions'] = checkpoint.status.conditions;
  const observedGeneration = checkpoint.metadata.generation;
  for (const [type, status, reason, message] of wanted) {
    conditions = [
      ...withCondition(conditions, { type, status, reason, message, observedGeneration }, now),
    ];
  }
  return conditions;
}

/** `location` and `storageType` of the upstream API: a directory counts as a volume there. */
function place(snapshot: PodSnapshot): RawObject {
  const { artifact } = snapshot.status;
  if (artifact === undefined) return {};
  const { store, digest } = artifact;
  return {
    location: `${store}:${digest}`,
    storageType: store === 's3' || store === 'oci' ? store : 'pvc',
  };
}

function ended(
  checkpoint: DynamoCheckpoint,
  outcome: Parameters<typeof readyAndFailed>[1],
  reason: string,
  now: string,
) {
  const completed = outcome.state === 'ready' ? 'True' : 'False';
  const conditions = conditionsOf(
    checkpoint,
    [
      ['JobCompleted', completed, reason, outcome.message],
      ['Progressing', 'False', reason, ''],
    ],
    now,
  );
  return [...readyAndFailed(conditions, outcome, now, checkpoint.metadata.generation)];
}

function changes(checkpoint: DynamoCheckpoint, report: CheckpointReport, now: string): Changes {
  const pending: readonly [string, 'False', string, string] = ['Ready', 'False', 'Pending', ''];
  if (report.to === 'Waiting') {
    const { message, reason } = report;
    const conditions = conditionsOf(
      checkpoint,
      [pending, ['Progressing', 'True', reason, message]],
      now,
    );
    return { phase: checkpoint.status.phase ?? 'Pending', message, conditions };
  }
  if (report.to === 'Following') {
    const { phase = 'Creating', message = '' } = checkpoint.status;
    const wanted = ['Progressing', 'True', report.reason, report.message] as const;
    return { phase, message, conditions: conditionsOf(checkpoint, [wanted], now) };
  }
  if (report.to === 'Creating') {
    const message = `Job ${report.jobName} runs the source pod.`;
    const conditions = conditionsOf(
      checkpoint,
      [
        pending,
        ['Progressing', 'True', 'WaitingForSchedule', message],
        ['JobCreated', 'True', 'JobCreated', message],
      ],
      now,
    );
    return { phase: 'Creating', message, conditions, jobName: report.jobName };
  }
  if (report.to === 'Capturing') {
    const { jobName, podSnapshotName } = report;
    const message = `PodSnapshot ${podSnapshotName} captures the pod of Job ${jobName}.`;
    const conditions = conditionsOf(
      checkpoint,
      [pending, ['Progressing', 'True', 'WaitingForPodReady', message]],
      now,
    );
    return { phase: 'Creating', message, conditions, podSnapshotName };
  }
  if (report.to === 'Retry') {
    const { jobName, message, reason } = report;
    const conditions = conditionsOf(
      checkpoint,
      [
        pending,
        ['Progressing', 'True', 'WaitingForSchedule', message],
        ['JobCreated', 'False', reason, message],
      ],
      now,
    );
    return { phase: 'Pending', message, conditions, jobName, podSnapshotName: null };
  }
  if (report.to === 'Ready') {
    const message = `Captured as PodSnapshot ${report.snapshot.metadata.name}.`;
    return {
      phase: 'Ready',
      message,
      conditions: ended(checkpoint, { state: 'ready', message }, 'Captured', now),
      podSnapshotName: report.snapshot.metadata.name,
      createdAt: report.snapshot.status.completedAt ?? now,
      ...place(report.snapshot),
    };
  }
  const { message, reason } = report;
  const outcome = { state: 'failed', reason, message } as const;
  return { phase: 'Failed', message, conditions: ended(checkpoint, outcome, reason, now) };
}

const same = (left: unknown, right: unknown): boolean =>
  JSON.stringify(left) === JSON.stringify(right);

/** The merge patch that makes a checkpoint's status say what is reported; undefined when it says so already. */
export function statusPatch(
  checkpoint: DynamoCheckpoint,
  ids: CheckpointIDs,
  report: CheckpointReport,
  now: string,
): RawObject | undefined {
  const wanted: RawObject = {
    ...changes(checkpoint, report, now),
    ...ids,
    observedGeneration: checkpoint.metadata.generation,
  };
  const status: RawObject = checkpoint.status;
  const fields = Object.entries(wanted).filter(
    ([field, value]) => !same(value ?? undefined, status[field]),
  );
  return fields.length === 0 ? undefined : Object.fromEntries(fields);
}
