import { type WantedCondition, withConditions } from '../../core/api/conditions.ts';
import type { SnapshotJob } from '../../core/api/snapshot-job.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import type { SnapshotJobReport } from './observed.ts';

const started = 'The Job is made; its pod is not Ready yet.';
const pending: WantedCondition = ['Ready', 'False', 'Pending', 'Not captured yet.'];

function changes(snapshotJob: SnapshotJob, report: SnapshotJobReport, now: string): RawObject {
  if (report.to === 'Waiting') {
    const { message, reason } = report;
    const wanted: readonly WantedCondition[] = [
      ['Running', 'False', 'PodPending', message],
      pending,
      ['Progressing', 'True', reason, message],
    ];
    return { conditions: withConditions(snapshotJob, wanted, now) };
  }
  if (report.to === 'Started') {
    const wanted: readonly WantedCondition[] = [
      ['Running', 'False', 'PodPending', started],
      pending,
      ['Progressing', 'True', 'WaitingForSchedule', 'The Job is made and has no pod yet.'],
    ];
    return { sourceJobUID: report.jobUID, conditions: withConditions(snapshotJob, wanted, now) };
  }
  if (report.to === 'Following') {
    const wanted: WantedCondition = ['Progressing', 'True', report.reason, report.message];
    return { conditions: withConditions(snapshotJob, [wanted], now) };
  }
  if (report.to === 'Running') {
    // Never back to False before the end: a probe that runs into the freeze says nothing about the source.
    const wanted: WantedCondition = ['Running', 'True', 'PodReady', 'The pod of the Job is Ready.'];
    return {
      startedAt: snapshotJob.status.startedAt ?? now,
      conditions: withConditions(snapshotJob, [wanted], now),
    };
  }
  if (report.to === 'Capturing') {
    const { name, uid } = report.snapshot.metadata;
    const message = `PodSnapshot ${name} captures the pod of the Job.`;
    const wanted: readonly WantedCondition[] = [
      ['Captured', 'False', 'CaptureInProgress', message],
      ['Progressing', 'True', 'WaitingForPodReady', message],
    ];
    return {
      ...{ podSnapshotName: name, podSnapshotUID: uid },
      conditions: withConditions(snapshotJob, wanted, now),
    };
  }
  if (report.to === 'Completed') {
    const reason = 'CaptureCompleted';
    const message = `Captured as PodSnapshot ${report.snapshot.metadata.name}.`;
    const wanted: readonly WantedCondition[] = [
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
      conditions: withConditions(snapshotJob, wanted, now),
    };
  }
  const { message, reason } = report;
  const wanted: readonly WantedCondition[] = [
    ['Running', 'False', reason, message],
    ['Captured', 'False', reason, message],
    ['Completed', 'False', reason, message],
    ['Failed', 'True', reason, message],
    ['Progressing', 'False', reason, ''],
    ['Ready', 'False', reason, message],
  ];
  return { completedAt: now, conditions: withConditions(snapshotJob, wanted, now) };
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
