import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { FailureReason, Reason } from '../../core/api/reasons.ts';
import type { SnapshotJob } from '../../core/api/snapshot-job.ts';
import type { Job, Pod } from '../../core/api/workload.ts';
import type { Sighting } from '../source-job/sighting.ts';
import type { ShapedSnapshotJob } from './shape-job.ts';

/** How far a SnapshotJob is, read from its status: New until the Job's UID stands there, Started until the snapshot's does. */
export const snapshotJobPhases = ['New', 'Started', 'Capturing', 'Completed', 'Failed'] as const;
/** One phase of a SnapshotJob. */
export type SnapshotJobPhase = (typeof snapshotJobPhases)[number];

/** Everything that is known of a SnapshotJob at one moment; decide gets nothing else. */
export type ObservedSnapshotJob = {
  readonly phase: SnapshotJobPhase;
  readonly deleting: boolean;
  readonly snapshotJob: SnapshotJob;
  readonly shaped: ShapedSnapshotJob;
  /** `ours` only with the UID that the status has; any owned one while it has none. */
  readonly job: Sighting<Job>;
  /** `ours` only with the UID that the status has; one of our labels and this source while it has none. */
  readonly snapshot: Sighting<PodSnapshot>;
  readonly pod: Pod | undefined;
  /** Until the Job should long have ended, or begun, by its deadline; negative from then on, undefined for a Job that is gone. */
  readonly leftMilliseconds: number | undefined;
  /** Since this process first saw it Completed; 0 where it is not. */
  readonly sinceCompletedMilliseconds: number;
  /** Since this process first saw the snapshot Failed; 0 where it is not. */
  readonly sinceSnapshotFailedMilliseconds: number;
  /** What the API server said when it refused the Job. */
  readonly rejection: string | undefined;
};

/** What the status of a SnapshotJob becomes. */
export type SnapshotJobReport =
  | { readonly to: 'Waiting'; readonly message: string }
  | { readonly to: 'Started'; readonly jobUID: string }
  | { readonly to: 'Capturing'; readonly snapshot: PodSnapshot }
  | { readonly to: 'Running' }
  | { readonly to: 'Completed'; readonly snapshot: PodSnapshot }
  | { readonly to: 'Failed'; readonly reason: FailureReason; readonly message: string };

/** An event on the SnapshotJob. */
export type SnapshotJobEvent = {
  readonly type: 'Normal' | 'Warning';
  readonly reason: Reason;
  readonly note: string;
};

/** What a reconcile of a SnapshotJob may do. */
export type SnapshotJobAction =
  | { readonly do: 'createJob' }
  | { readonly do: 'deleteJob'; readonly name: string; readonly uid: string }
  | { readonly do: 'createSnapshot'; readonly pod: Pod }
  | { readonly do: 'cancelSnapshot'; readonly snapshot: PodSnapshot }
  /** The event is recorded only when the report changed the status: one per transition, also after a crash. */
  | {
      readonly do: 'report';
      readonly report: SnapshotJobReport;
      readonly event?: SnapshotJobEvent;
    };
