import { type Conditions, withCondition } from '../../core/api/conditions.ts';
import type { SnapshotJob } from '../../core/api/snapshot-job.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import type { SnapshotJobReport } from './observed.ts';

type Wanted = readonly [type: string, status: 'True' | 'False', reason: string, message: string];

function conditionsOf({ metadata, status }: SnapshotJob, wanted: readonly Wanted[], now: string) {
  const { generation } = metadata;
  return wanted.reduce<Conditions>(
    (conditions, [type, state, reason, message]) =>
      withCondition(
        conditions,
        { type, status: state, reason, message, observedGeneration: generation },
        now,
      ),
    status.conditions,
  );
}

const started = 'The Job is made; its pod is not Ready yet.';
const pending: Wanted = ['Ready', 'False', 'Pending', 'Not captured yet.'];

function changes(snapshotJob: SnapshotJob, report: SnapshotJobReport, now: string): RawObject {
  if (report.to === 'Waiting') {
    const { message, reason } = report;
    const wanted: readonly Wanted[] = [
      ['Running', 'False', 'PodPending', message],
      pending,
      ['Progressing', 'True', reason, message],
    ];
    return { conditions: conditionsOf(snapshotJob, wanted, now) };
  }
  if (report.to === 'Started') {
    const wanted: readonly Wanted[] = [
      ['Running', 'False', 'PodPending', started],
      pending,
      ['Progressing', 'True', 'WaitingForSchedule', 'The Job is made and has no pod yet.'],
    ];
    return { sourceJobUID: report.jobUID, conditions: conditionsOf(snapshotJob, wanted, now) };
  }
  if (report.to === 'Following') {
    const wanted: Wanted = ['Progressing', 'True', report.reason, report.message];
    return { conditions: conditionsOf(snapshotJob, [wanted], now) };
  }
  if (report.to === 'Running') {
    // Never back to False before the end: a probe that runs into the freeze says nothing about the source.
    const wanted: Wanted = ['Running', 'True', 'PodReady', 'The pod of the Job is Ready.'];
    return {
      startedAt: snapshotJob.status.startedAt ?? now,
      conditions: conditionsOf(snapshotJob, [wanted], now),
    };
  }
  if (report.to === 'Capturing') {
    const { name, uid } = report.snapshot.metadata;
    const message = `PodSnapshot ${name} captures the pod of the Job.`;
    const wanted: readonly Wanted[] = [
      ['Captured', 'False', 'CaptureInProgress', message],
      ['Progressing', 'True', 'WaitingForPodReady', message],
    ];
    return {
      ...{ podSnapshotName: name, podSnapshotUID: uid },
      conditions: conditionsOf(snapshotJob, wanted, now),
    };
  }
  if (report.to === 'Completed') {
    const reason = 'CaptureCompleted';
    const message = `Captured as PodSnapshot ${report.snapshot.metadata.name}.`;
    const wanted: readonly Wanted[] = [
      ['Running', 'False', reason, 'The source is no longer needed.'],
      ['Captured', 'True', reason, message],
      ['Failed', 'False', reason, ''],
      ['Completed', 'True', reason, message],
      ['Progressing', 'False', 'Captured', ''],
      ['Ready', 'True', 'Captured', message],
    ];
    return {
      startedAt: snapshotJob.status.startedAt ?? report.snapshot.status.startedAt ?? now,
      completedAt: now,
      conditions: conditionsOf(snapshotJob, wanted, now),
    };
  }
  const { message, reason } = report;
  const wanted: readonly Wanted[] = [
    ['Running', 'False', reason, message],
    ['Captured', 'False', reason, message],
    ['Completed', 'False', reason, message],
    ['Failed', 'True', reason, message],
    ['Progressing', 'False', reason, ''],
    ['Ready', 'False', reason, message],
  ];
  return { completedAt: now, conditions: conditionsOf(snapshotJob, wanted, now) };
}

const same = (left: unknown, right: unknown): boolean =>
  JSON.stringify(left) === JSON.stringify(right);

/** The merge patch that makes the status of a SnapshotJob say what is reported; undefined when it says so already. */
export function statusPatch(
  snapshotJob: SnapshotJob,
  report: SnapshotJobReport,
  now: string,
): RawObject | undefined {
  const wanted: RawObject = {
    ...changes(snapshotJob, report, now),
    observedGeneration: snapshotJob.metadata.generation,
  };
  const status: RawObject = snapshotJob.status;
  const fields = Object.entries(wanted).filter(([field, value]) => !same(value, status[field]));
  return fields.length === 0 ? undefined : Object.fromEntries(fields);
}
