import { type Conditions, findCondition, isTrue, progressOf } from '../../core/api/conditions.ts';
import type { DynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import type { PodRestore } from '../../core/api/pod-restore.ts';
import type { PodSnapshot, Progress } from '../../core/api/pod-snapshot.ts';
import type { SnapshotJob } from '../../core/api/snapshot-job.ts';

/** How a request ended. `cold`: a restore that runs a fresh pod instead, as it was allowed to. */
export type End = 'succeeded' | 'cold' | 'failed';

/** How far a request is, whatever its kind. */
export type Standing = {
  /** One word: the stage or phase, or how it ended. */
  readonly state: string;
  /** Undefined while it goes on. */
  readonly end: End | undefined;
  /** The reason of the end, or of what is waited for; '' where there is none. */
  readonly reason: string;
  readonly message: string;
  readonly progress: Progress | undefined;
};

type Dying = { readonly deletionTimestamp?: string | undefined };

/** What a condition says as the end of a request. */
function ended(conditions: Conditions, type: string, state: string, end: End): Standing {
  const { reason = '', message = '' } = findCondition(conditions, type) ?? {};
  return { state, end, reason, message, progress: undefined };
}

function open(
  conditions: Conditions,
  state: string,
  metadata: Dying,
  progress?: Progress,
): Standing {
  const { reason, message } = progressOf(conditions) ?? { reason: '', message: '' };
  const word = metadata.deletionTimestamp === undefined ? state : 'Deleting';
  return { state: word, end: undefined, reason, message, progress };
}

/** Of a capture. */
export function standingOfSnapshot({ metadata, status }: PodSnapshot): Standing {
  const { conditions, stage, progress } = status;
  if (metadata.deletionTimestamp !== undefined) return open(conditions, stage, metadata);
  if (isTrue(conditions, 'Ready')) return ended(conditions, 'Ready', 'Ready', 'succeeded');
  if (isTrue(conditions, 'Failed')) return ended(conditions, 'Failed', 'Failed', 'failed');
  // Captured, and Ready no more: the bytes are damaged or gone.
  if (stage === 'Captured') return ended(conditions, 'Ready', 'Lost', 'failed');
  return open(conditions, stage, metadata, progress);
}

/** Of a restore. */
export function standingOfRestore({ metadata, status }: PodRestore): Standing {
  const { conditions, phase = 'Pending' } = status;
  if (metadata.deletionTimestamp !== undefined) return open(conditions, phase, metadata);
  if (phase === 'Restored') return ended(conditions, 'Restored', phase, 'succeeded');
  if (phase === 'StartedCold') return ended(conditions, 'Restored', phase, 'cold');
  if (phase === 'Failed') return ended(conditions, 'Failed', phase, 'failed');
  return open(conditions, phase, metadata);
}

/** Of a DynamoCheckpoint. */
export function standingOfCheckpoint({ metadata, status }: DynamoCheckpoint): Standing {
  const { conditions, phase = 'Pending' } = status;
  if (metadata.deletionTimestamp !== undefined) return open(conditions, phase, metadata);
  if (phase === 'Ready') return ended(conditions, 'Ready', phase, 'succeeded');
  if (phase === 'Failed') return ended(conditions, 'Failed', phase, 'failed');
  return open(conditions, phase, metadata);
}

/** Of a SnapshotJob. */
export function standingOfJob({ metadata, status }: SnapshotJob): Standing {
  const { conditions } = status;
  if (metadata.deletionTimestamp !== undefined) return open(conditions, '', metadata);
  if (isTrue(conditions, 'Ready')) return ended(conditions, 'Ready', 'Ready', 'succeeded');
  if (isTrue(conditions, 'Failed')) return ended(conditions, 'Failed', 'Failed', 'failed');
  return open(conditions, progressOf(conditions)?.reason ?? 'Pending', metadata);
}
