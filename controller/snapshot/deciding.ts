import type { FailureReason } from '../../core/api/reasons.ts';
import type { Decision } from '../../core/decision.ts';
import type { ContentSighting, ObservedSnapshot, SnapshotAction } from './observed.ts';

/** A content that is there. */
export type Found = Extract<ContentSighting, { state: 'found' }>;

/** Between two writes of news that are not the end: a quick capture costs one write, not one for each stage. */
export const mirrorIntervalMilliseconds = 1_000;

/** Nothing to do until something changes. */
export const nothing: Decision<SnapshotAction> = { actions: [] };

/** These actions, in order. */
export const act = (...actions: readonly SnapshotAction[]): Decision<SnapshotAction> => ({
  actions,
});

/** The end of a snapshot that never got as far as an agent, or whose agent is not heard any more. */
export const fail = (reason: FailureReason, message: string): Decision<SnapshotAction> =>
  act({ do: 'fail', reason, message });

/** Bound to what an administrator provided: nothing is captured, nothing can be cancelled. */
export const isProvided = ({ snapshot }: ObservedSnapshot): boolean =>
  snapshot.spec.source.contentName !== undefined;

/** Milliseconds until the deadline, by the API server's clock; 0 or less when it has passed. */
export const deadlineLeft = ({ snapshot, ageMilliseconds }: ObservedSnapshot): number =>
  snapshot.spec.deadlineSeconds * 1000 - ageMilliseconds;
