import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { type FailureReason, isFailureReason } from '../../core/api/reasons.ts';
import type { SourceState } from '../../core/api/stages.ts';
import type { Pod } from '../../core/api/workload.ts';
import { errorText, Failure } from '../../core/failure.ts';
import type { HeldLease } from '../../runtime/held-lease.ts';
import type { CaptureProcesses } from '../capture/backend.ts';
import type { ReferenceKey } from '../store/store.ts';
import type { WorkStage } from './observed.ts';

/** What a worker is given: one attempt at one order, under its lease. */
export type WorkOrder = {
  readonly content: PodSnapshotContent;
  readonly containers: readonly string[];
  readonly lease: HeldLease;
  readonly attempt: number;
  /** When the order's first attempt began, RFC 3339. */
  readonly startedAt: string;
  readonly from:
    | {
        readonly start: 'pod';
        readonly pod: Pod;
        /** The containers' processes as an earlier attempt saw them: another one now is another container. */
        readonly earlier: readonly CaptureProcesses[];
      }
    | { readonly start: 'staging' };
};

/** How a worker ended. `interrupted`: nothing to report, the journal says how to go on. */
export type WorkEnd =
  | { readonly end: 'published' }
  | { readonly end: 'interrupted' }
  | {
      readonly end: 'failed';
      readonly reason: FailureReason;
      readonly message: string;
      readonly sourceState: SourceState;
    };

/** What the parts of a worker share. */
export type WorkHooks = {
  /** Aborted with a Failure: Cancelled, DeadlineExceeded, shuttingDown, or the loss of the lease. */
  readonly stop: AbortSignal;
  enter(stage: WorkStage): void;
  progressed(progress: { readonly bytesDone: number; readonly bytesTotal: number }): void;
  /** The source runs again: the next order may dump. */
  thawed(): void;
};

/** Reason of the stop when the agent ends: nothing is reported, a later agent goes on. */
export const shuttingDown = 'ShuttingDown';

/** Failures that end the work without a word to the API server: another process goes on, or already does. */
export const isInterruption = (failure: Failure): boolean =>
  failure.kind === 'fenced' || failure.reason === shuttingDown;

/** The end that a failure means; reasons that users do not know become `otherwise`. */
export function failedEnd(
  error: unknown,
  otherwise: FailureReason,
  sourceState: SourceState,
): WorkEnd {
  const reason = error instanceof Failure ? error.reason : '';
  return {
    end: 'failed',
    reason: isFailureReason(reason) ? reason : otherwise,
    message: errorText(error),
    sourceState,
  };
}

/** Where the order's artifact is referenced. */
export const referenceKeyOf = (content: PodSnapshotContent): ReferenceKey => ({
  namespace: content.spec.snapshotRef.namespace,
  contentUID: content.metadata.uid,
});
