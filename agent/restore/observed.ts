import type { RestoreReason } from '../../core/api/restore.ts';
import type { RestoreProgress } from '../../core/api/restore-progress.ts';
import type { SnapshotView } from '../../core/restore/snapshot-view.ts';

/** A placeholder's container, as pod status and its control directory tell; of several the one that the pod waits for or that went wrong. */
export type PlaceholderView =
  | { readonly state: 'waiting'; readonly message: string }
  /** Runs and waits; nothing has been done for this very container. */
  | { readonly state: 'ready'; readonly restarts: number }
  /** An attempt was begun for this very container, and its end is not told. */
  | { readonly state: 'begun' }
  | { readonly state: 'complete' }
  | { readonly state: 'failed' };

/** Somebody works on it in this process, or has. */
export type RestoreWorkView =
  | { readonly state: 'none' }
  /** `progress`: how far it is, where that is worth telling. */
  | { readonly state: 'running'; readonly progress?: string | undefined }
  | {
      readonly state: 'restored';
      readonly message: string;
      readonly figures: Pick<RestoreProgress, 'bytesFetched' | 'restoreMilliseconds'>;
    }
  /** Something outside of the pod is in the way (a full disk, a store that does not answer), and nothing in the pod was touched: tried again soon. */
  | { readonly state: 'postponed'; readonly message: string }
  | {
      readonly state: 'failed';
      readonly reason: 'RestoreFailed' | 'RestoreIncompatible';
      readonly message: string;
    };

/** The condition nvidia.com/Restored as the pod has it. */
export type ConditionView = {
  readonly status: string;
  readonly reason: string;
  readonly message: string;
};

/** Everything a decision needs, as one frozen value. */
export type Observed = {
  /** Undefined when the node has no such pod, or not this incarnation. */
  readonly pod: { readonly over: boolean; readonly problems: readonly string[] } | undefined;
  readonly snapshot: SnapshotView;
  readonly placeholder: PlaceholderView;
  readonly work: RestoreWorkView;
  readonly condition: ConditionView | undefined;
  /** Containers of the pod that may be restored into, one after the other. */
  readonly maximumAttempts: number;
  /** With `pod` undefined: another pod stands under the name, to be looked at next. */
  readonly replaced: boolean;
};

/** One step, carried out by the effects table. */
export type Action =
  | {
      readonly do: 'report';
      readonly status: 'True' | 'False';
      readonly reason: RestoreReason;
      readonly message: string;
    }
  | { readonly do: 'start' }
  /** Brings the artifact to the node while the placeholder is not there yet. */
  | { readonly do: 'fetchAhead' }
  /** Looks again as soon as the placeholder waits. */
  | { readonly do: 'watch' }
  | { readonly do: 'cancel' }
  /** Tells the placeholder that it was in vain: it ends, and the kubelet starts the next one if the pod's restart policy says so. */
  | { readonly do: 'fail'; readonly message: string }
  /** Ends the placeholder, whose state nobody knows, from outside. */
  | { readonly do: 'endPlaceholder' }
  | { readonly do: 'forget' }
  | { readonly do: 'again'; readonly afterMilliseconds: number };
