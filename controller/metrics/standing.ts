import type { DynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import type { PodRestore } from '../../core/api/pod-restore.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { SnapshotJob } from '../../core/api/snapshot-job.ts';
import { outcomeOf } from '../snapshot/outcome.ts';
import { phaseOf } from '../snapshot-job/observe.ts';

/** How far an object has come, as metrics see it. */
export type Standing = {
  readonly uid: string;
  /** RFC 3339, whole seconds. */
  readonly createdAt: string;
  /** A snapshot has its content; other kinds never are. */
  readonly bound: boolean;
  readonly end: 'open' | 'ready' | 'failed';
};

/** Of a PodSnapshot. */
export const snapshotStanding = ({ metadata, status }: PodSnapshot): Standing => ({
  uid: metadata.uid,
  createdAt: metadata.creationTimestamp,
  bound: status.boundSnapshotContentName !== undefined,
  end: outcomeOf(status.conditions),
});

/** Of a PodSnapshotContent. */
export const contentStanding = ({ metadata, status }: PodSnapshotContent): Standing => ({
  uid: metadata.uid,
  createdAt: metadata.creationTimestamp,
  bound: false,
  end: outcomeOf(status.conditions),
});

const ends = { Pending: 'open', Creating: 'open', Ready: 'ready', Failed: 'failed' } as const;

/** Of a DynamoCheckpoint. */
export const checkpointStanding = ({ metadata, status }: DynamoCheckpoint): Standing => ({
  uid: metadata.uid,
  createdAt: metadata.creationTimestamp,
  bound: false,
  end: ends[status.phase ?? 'Pending'],
});

const jobEnds = {
  New: 'open',
  Started: 'open',
  Capturing: 'open',
  Completed: 'ready',
  Failed: 'failed',
} as const;

/** Of a SnapshotJob; Completed is its Ready. */
export const snapshotJobStanding = (snapshotJob: SnapshotJob): Standing => ({
  uid: snapshotJob.metadata.uid,
  createdAt: snapshotJob.metadata.creationTimestamp,
  bound: false,
  end: jobEnds[phaseOf(snapshotJob)],
});

const restoreEnds = {
  Pending: 'open',
  Scheduling: 'open',
  Fetching: 'open',
  Restoring: 'open',
  Restored: 'ready',
  StartedCold: 'ready',
  Failed: 'failed',
} as const;

/** Of a PodRestore; one whose pod was started cold as asked is Ready too. */
export const podRestoreStanding = ({ metadata, status }: PodRestore): Standing => ({
  uid: metadata.uid,
  createdAt: metadata.creationTimestamp,
  bound: false,
  end: restoreEnds[status.phase ?? 'Pending'],
});
