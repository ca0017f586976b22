import type { Progressing } from '../../core/api/conditions.ts';
import type { Candidate, PodRestore, PodRestorePhase } from '../../core/api/pod-restore.ts';
import type { FailureReason, Reason } from '../../core/api/reasons.ts';
import type { RestoreProgress } from '../../core/api/restore-progress.ts';
import type { Pod } from '../../core/api/workload.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import type { Sighting } from '../source-job/sighting.ts';

/**
 * How far a PodRestore is, read from its status: New until the pod's UID stands there, Placed until it has ended, Ending from the verdict on until no
 * pod is left that could still come to life.
 */
export const podRestoreSteps = ['New', 'Placed', 'Ending', 'Settled', 'Deleting'] as const;
/** One step of a PodRestore. */
export type PodRestoreStep = (typeof podRestoreSteps)[number];

/** Why a restore ends without its pod. */
export type Verdict = { readonly reason: FailureReason; readonly message: string };

/** The snapshot. `missing` and `replaced` are the API server's own word, never the cache's. */
export type SnapshotSight =
  | { readonly state: 'unread' }
  | { readonly state: 'replaced' }
  | { readonly state: 'missing'; readonly message: string }
  | { readonly state: 'pending'; readonly message: string }
  | { readonly state: 'failed'; readonly message: string }
  | { readonly state: 'ready'; readonly uid: string; readonly contentName: string };

/** The pod to create. */
export type Plan =
  | { readonly state: 'unread' }
  | { readonly state: 'impossible'; readonly verdict: Verdict }
  | {
      readonly state: 'made';
      readonly pod: RawObject;
      readonly candidates: readonly Candidate[];
      /** Why no node can take it; undefined where one can. */
      readonly nowhere: string | undefined;
    };

/** What the agent of the pod's node and the kubelet say of a pod of ours. */
export type RestoredPod = {
  readonly pod: Pod;
  readonly leaving: boolean;
  /** Started from the beginning, in the place of the placeholder. */
  readonly cold: boolean;
  readonly restored: boolean;
  /** Of the condition nvidia.com/Restored; '' without one. */
  readonly reason: string;
  readonly message: string;
  readonly progress: RestoreProgress | undefined;
  /** Attempts in pods before this one. */
  readonly attemptsBefore: number;
  /** The pod runs nothing more, whatever came of it. */
  readonly over: boolean;
};

/** Everything that is known of a PodRestore at one moment; decide gets nothing else. */
export type ObservedPodRestore = {
  readonly step: PodRestoreStep;
  readonly restore: PodRestore;
  readonly podName: string;
  readonly snapshot: SnapshotSight;
  /** The placeholder while New; the pod that starts cold while Ending, where that is asked for. */
  readonly plan: Plan;
  /** Under the pod's name. `ours` only with the UID on record, or while there is none with the mark of this very PodRestore. */
  readonly pod: Sighting<RestoredPod>;
  /** Until the deadline, by the API server's clock. */
  readonly leftMilliseconds: number;
  /** Since the creation of the pod; 0 without one of ours. */
  readonly podAgeMilliseconds: number;
  /** Since the pod should have gone, where it is being deleted; 0 or less before. */
  readonly podOverdueMilliseconds: number;
  /** Since this process first saw the pod over; 0 where it is not. */
  readonly sincePodOverMilliseconds: number;
  /** What the API server said when it refused the pod for good, and when it did so for a quota. */
  readonly rejection: string | undefined;
  readonly quota: string | undefined;
};

/** What the status of a PodRestore becomes. */
export type PodRestoreReport =
  | ({
      readonly to: 'Waiting';
      readonly phase: PodRestorePhase;
      readonly candidates?: readonly Candidate[];
    } & Progressing)
  | { readonly to: 'Placed'; readonly pod: Pod; readonly candidates?: readonly Candidate[] }
  | ({
      readonly to: 'Following';
      readonly phase: PodRestorePhase;
      readonly pod: RestoredPod;
    } & Progressing)
  /** The pod has ended and another one is to be made; so many attempts are used up. */
  | { readonly to: 'Again'; readonly attempts: number; readonly message: string }
  | ({ readonly to: 'Ending' } & Verdict)
  | ({ readonly to: 'StillEnding' } & Progressing)
  | { readonly to: 'Restored'; readonly pod: RestoredPod }
  | { readonly to: 'StartedCold'; readonly pod: Pod; readonly message: string }
  | ({ readonly to: 'Failed' } & Verdict);

/** An event on the PodRestore, and on the pod where it is named. */
export type PodRestoreEvent = {
  readonly type: 'Normal' | 'Warning';
  readonly reason: Reason;
  readonly note: string;
  readonly pod?: Pod;
};

/** What a reconcile of a PodRestore may do. */
export type PodRestoreAction =
  | { readonly do: 'addFinalizer' | 'removeFinalizer' }
  | { readonly do: 'createPod'; readonly pod: RawObject }
  /** Exactly this version of this pod: one that was restored meanwhile has moved. */
  | { readonly do: 'deletePod'; readonly pod: Pod }
  /** The event is recorded only when the report changed the status: one per transition, also after a crash. */
  | {
      readonly do: 'report';
      readonly report: PodRestoreReport;
      readonly event?: PodRestoreEvent;
    };
