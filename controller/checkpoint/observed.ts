import type { Progressing } from '../../core/api/conditions.ts';
import type { CheckpointPhase, DynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { Reason } from '../../core/api/reasons.ts';
import type { Job, Pod } from '../../core/api/workload.ts';
import type { Sighting } from '../source-job/sighting.ts';
import type { CheckpointIDs } from './identity-hash.ts';
import type { ShapedJob } from './shape-job.ts';

/** Everything that is known of a checkpoint at one moment; decide gets nothing else. */
export type ObservedCheckpoint = {
  readonly phase: CheckpointPhase;
  readonly deleting: boolean;
  readonly checkpoint: DynamoCheckpoint;
  readonly ids: CheckpointIDs;
  /** 0 for the first Job; counted from the suffix of status.jobName. */
  readonly attempt: number;
  /** Name of the Job and of the PodSnapshot of this attempt. */
  readonly jobName: string;
  readonly snapshotName: string;
  /** Name of an older live checkpoint with the same ID in the namespace. */
  readonly older: string | undefined;
  readonly shaped: ShapedJob;
  readonly job: Sighting<Job>;
  readonly snapshot: Sighting<PodSnapshot>;
  readonly pod: Pod | undefined;
  /** Jobs of ours that are not the one of this attempt (in an end phase: all of ours), not yet being deleted. */
  readonly leftoverJobs: readonly Job[];
  /** Since this process first saw the phase Ready; 0 where it is not. */
  readonly sinceReadyMilliseconds: number;
  /** What the API server said when it refused the Job for good, and when it did so for a quota. */
  readonly rejection: string | undefined;
  readonly quota: string | undefined;
  /** Since the creation of the snapshot, by the API server's clock; 0 without one of ours. */
  readonly snapshotAgeMilliseconds: number;
};

/** What a checkpoint's status becomes. */
export type CheckpointReport =
  | { readonly to: 'Creating'; readonly jobName: string }
  | { readonly to: 'Capturing'; readonly jobName: string; readonly podSnapshotName: string }
  | ({ readonly to: 'Waiting' } & Progressing)
  /** What the snapshot says about a capture that lasts. */
  | ({ readonly to: 'Following' } & Progressing)
  | {
      readonly to: 'Retry';
      readonly jobName: string;
      readonly reason: string;
      readonly message: string;
    }
  | { readonly to: 'Ready'; readonly snapshot: PodSnapshot }
  | { readonly to: 'Failed'; readonly reason: string; readonly message: string };

/** What a reconcile of a checkpoint may do. */
export type CheckpointAction =
  | { readonly do: 'createJob' }
  | { readonly do: 'deleteJob'; readonly name: string; readonly uid: string }
  | { readonly do: 'createSnapshot'; readonly pod: Pod; readonly jobUID: string }
  | { readonly do: 'cancelSnapshot'; readonly snapshot: PodSnapshot }
  /** The event is recorded only when the report changed the status: one per transition, also after a crash. */
  | {
      readonly do: 'report';
      readonly report: CheckpointReport;
      readonly event?: ReportedEvent;
    };

/** An event on the checkpoint. */
export type ReportedEvent = {
  readonly type: 'Normal' | 'Warning';
  readonly reason: Reason;
  readonly note: string;
};
