import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { FailureReason, ProgressReason, Reason } from '../../core/api/reasons.ts';
import type { Pod } from '../../core/api/workload.ts';
import type { RawObject } from '../../runtime/kube-port.ts';

/** Where a snapshot stands for the control plane; derived from its status, never stored. */
export const snapshotPhases = ['Unbound', 'Bound', 'Captured', 'Failed', 'Deleting'] as const;
/** One phase of a snapshot. */
export type SnapshotPhase = (typeof snapshotPhases)[number];

/** `missing` is the API server's own word, never the cache's. `raw` is the pod as it is stored, for the restore template. */
export type PodSighting =
  | { readonly state: 'unread' }
  | { readonly state: 'missing' }
  | { readonly state: 'found'; readonly pod: Pod; readonly raw: RawObject };

/** How an order stands. `open`: no terminal condition yet. */
export type Outcome = 'open' | 'ready' | 'failed';

/**
 * `missing` is the API server's own word, or follows from a snapshot without our finalizer. `ours`: the back-link names this incarnation of the snapshot, or offers itself to it; `claimed`: the
 * former. `fresh`: read past the cache, so a Ready that lost against nothing is not overlooked.
 */
export type ContentSighting =
  | { readonly state: 'unread' }
  | { readonly state: 'missing'; readonly name: string }
  | {
      readonly state: 'found';
      readonly content: PodSnapshotContent;
      readonly ours: boolean;
      readonly claimed: boolean;
      readonly fresh: boolean;
      readonly outcome: Outcome;
    };

/** The agent of the node, as long as it matters. */
export type AgentSighting = {
  /** How long its heartbeat has stood still, counted only while the API server answered. */
  readonly silentMilliseconds: number;
  /** The API server says that there is no such node. */
  readonly nodeGone: boolean;
};

/** Everything that is known of a snapshot at one moment; decide gets nothing else. */
export type ObservedSnapshot = {
  readonly phase: SnapshotPhase;
  readonly snapshot: PodSnapshot;
  /** Since creation, by the API server's clock. */
  readonly ageMilliseconds: number;
  /** Since its deletion was asked for, by the API server's clock; 0 where it was not. */
  readonly deletingMilliseconds: number;
  readonly pod: PodSighting;
  readonly content: ContentSighting;
  /** Undefined where nobody needs to know: no order in flight, or one that is only seconds old. */
  readonly agent: AgentSighting | undefined;
  /** What the content says beyond the snapshot: nothing, news on the way, or the end. */
  readonly news: 'none' | 'progress' | 'end';
  /** Since this process last wrote the snapshot's status; large where it never did. */
  readonly sinceWriteMilliseconds: number;
  /** Since this process first saw the order cancelled; 0 where it is not. */
  readonly sinceCancelMilliseconds: number;
  /** What the API server said when it refused the content. */
  readonly rejection: string | undefined;
};

/** An event on the snapshot. */
export type ReportedEvent = {
  readonly type: 'Normal' | 'Warning';
  readonly reason: Reason;
  readonly note: string;
};

/** What a reconcile of a snapshot may do. */
export type SnapshotAction =
  /** Puts the finalizer on and reads the pod to capture, both at once. */
  | { readonly do: 'addFinalizer' }
  | { readonly do: 'createContent'; readonly raw: RawObject; readonly pod: Pod }
  | { readonly do: 'bind'; readonly contentName: string; readonly nodeName: string | undefined }
  /** Enters the snapshot's UID into a content that was offered to it. */
  | { readonly do: 'claimContent'; readonly content: PodSnapshotContent }
  /** An event only where somebody has to do something about it. */
  | {
      readonly do: 'wait';
      readonly reason: ProgressReason;
      readonly message: string;
      readonly warn?: true;
    }
  /** Says in Progressing alone what is waited for: the rest of the status may say an end already. */
  | { readonly do: 'explain'; readonly reason: ProgressReason; readonly message: string }
  /** Copies the content's status; a `reason` replaces the content's own where the controller knows better why it ended. */
  | {
      readonly do: 'mirror';
      readonly content: PodSnapshotContent;
      readonly reason?: FailureReason;
    }
  | { readonly do: 'fail'; readonly reason: FailureReason; readonly message: string }
  | { readonly do: 'cancelContent'; readonly content: PodSnapshotContent }
  | {
      readonly do: 'failContent';
      readonly content: PodSnapshotContent;
      readonly reason: FailureReason;
      readonly message: string;
    }
  | { readonly do: 'deleteContent'; readonly content: PodSnapshotContent }
  | { readonly do: 'releaseContent'; readonly content: PodSnapshotContent }
  | { readonly do: 'removeFinalizer' };
