/** Reasons of Ready and Failed; the same words in conditions, events, logs and metric labels; docs/errors.md explains each. */
export const failureReasons = [
  'SourcePodNotFound',
  'StalePodReference',
  'SourcePodGone',
  'ContentConflict',
  'MissingCheckpointID',
  'InvalidCheckpointID',
  'InvalidTargetContainer',
  'ContainerNotResolved',
  'ContainerChanged',
  'InvalidDestination',
  'CheckpointContainerFailed',
  'CheckpointFailed',
  'LeaseCancelled',
  'DeadlineExceeded',
  'FreezeBudgetExceeded',
  'Cancelled',
  'PreflightFailed',
  'StorageFull',
  'StorageError',
  'NodeLost',
  'NoAgentOnNode',
  'ContentLost',
  'ArtifactCorrupt',
  'ArtifactLost',
  'JobFailed',
  'JobConflict',
  'JobRejected',
  'DuplicateCheckpoint',
  'SnapshotConflict',
  'SnapshotDeleted',
  'InvalidSpec',
  'JobNameConflict',
  'JobDeleted',
  'PodSnapshotNameConflict',
  'PodSnapshotDeleted',
  'PodSnapshotFailed',
  'CaptureFailed',
  'SourceCompletedWithoutCapture',
  'RestoreFailed',
  'RestoreIncompatible',
  'NoTemplate',
  'PodNameConflict',
  'PodRejected',
  'PodDeleted',
] as const;
/** One reason of a failure. */
export type FailureReason = (typeof failureReasons)[number];

/** Reasons of Progressing: the stage, or the one thing waited for. */
export const progressReasons = [
  'WaitingForPredecessor',
  'WaitingForQuota',
  'WaitingForSchedule',
  'WaitingForContent',
  'WaitingForAgent',
  'WaitingForPodReady',
  'WaitingForLease',
  'Queued',
  'Gating',
  'Preparing',
  'Freezing',
  'Publishing',
  'Finishing',
  'Cancelling',
  'Deleting',
  'WaitingForSnapshot',
  'WaitingForNode',
  'WaitingForContainer',
  'Fetching',
  'Restoring',
  'RemovingPlaceholder',
  'StartingCold',
] as const;
/** One reason of Progressing. */
export type ProgressReason = (typeof progressReasons)[number];

/** Reasons that are neither failure nor progress. */
export const stateReasons = [
  'Pending',
  'Bound',
  'JobCreated',
  'SnapshotCreated',
  'Captured',
  'ArtifactDeleted',
  'Released',
  'Rerouted',
  'InvariantViolated',
  'PodPending',
  'PodReady',
  'CaptureInProgress',
  'CaptureCompleted',
  'PlaceholderCreated',
  'RestoreInProgress',
  'RestoreSucceeded',
  'StartedCold',
] as const;
/** One reason that is neither failure nor progress. */
export type StateReason = (typeof stateReasons)[number];

/** The closed set as a type guard, for text that comes back from a cluster. */
export function isProgressReason(text: string): text is ProgressReason {
  return (progressReasons as readonly string[]).includes(text);
}

/** Any word that may stand in a condition's reason. */
export type Reason = FailureReason | ProgressReason | StateReason;

/** The closed set as a type guard, for text that comes back from a cluster. */
export function isFailureReason(text: string): text is FailureReason {
  return (failureReasons as readonly string[]).includes(text);
}
