import type { Progress } from '../../core/api/pod-snapshot.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { FailureReason, ProgressReason } from '../../core/api/reasons.ts';
import type { SourceState, Stage } from '../../core/api/stages.ts';
import type { IntentStep } from '../journal/journal.ts';
import type { SourceView, Verdict } from './source-check.ts';

/** The stages a worker passes through. */
export type WorkStage = 'Preparing' | 'Freezing' | 'Publishing';

/** Whether somebody works on the order in this process. */
export type WorkView =
  | { readonly state: 'none' }
  | {
      readonly state: 'running';
      readonly stage: WorkStage;
      readonly cancelling: boolean;
      readonly progress: Progress | undefined;
      /** What the work itself waits for at the moment, a turn to publish or room; for people. */
      readonly waitsFor?: string | undefined;
    }
  | ({ readonly state: 'failed'; readonly sourceState: SourceState } & Verdict);

/** The order's Lease as this process knows it. */
export type LeaseView =
  | { readonly state: 'none' }
  | {
      readonly state: 'held';
      /** Taken from somebody else, and not yet written into the status. */
      readonly takeoverUnannounced: boolean;
    }
  | { readonly state: 'elsewhere'; readonly message: string; readonly againMilliseconds: number };

/** The place in the queue for the node's one dump. `place` is 1 for the next. */
export type TurnView =
  | { readonly state: 'none' }
  | { readonly state: 'granted' }
  | { readonly state: 'queued'; readonly place: number; readonly limit: number };

/** What this process last noted and last wrote about the stage. */
export type StageNote = {
  readonly stage: Stage;
  readonly reason: ProgressReason;
  readonly forMilliseconds: number;
  readonly sinceReportMilliseconds: number;
};

/** Everything a decision needs, as one frozen value. */
export type Observed = {
  /** Undefined when the cache no longer has it; where a decision about a frozen source hangs on it, when the API server has not. */
  readonly content: PodSnapshotContent | undefined;
  /** Routed to this node, and a capture rather than the binding of an existing artifact. */
  readonly mine: boolean;
  /** What the spec asks for that is not served, one sentence each. */
  readonly refusals: readonly string[];
  /** `open`: not looked yet. */
  readonly gate: 'open' | 'passed' | Verdict;
  /** Undefined until the gate has been passed. */
  readonly source: SourceView | undefined;
  readonly turn: TurnView;
  /** Why an order of so low a priority is to let the node's pods go first; undefined for no reason. Looked at only before the work. */
  readonly heldBack: string | undefined;
  readonly lease: LeaseView;
  readonly work: WorkView;
  /** `settled`: nothing of it runs or lies about any more, only its attempt counts. */
  readonly intent:
    | { readonly step: IntentStep; readonly attempt: number; readonly settled: boolean }
    | undefined;
  /** Whether the source of an intent that is `committing` has stood still since its capture; `ended`: it may have run on, or nothing was held. */
  readonly hold: 'waits' | 'ended';
  /** The pod still wears our label and no other order needs it. */
  readonly labelled: boolean;
  /** The end of the order has been written by this process and what follows it is not done. */
  readonly unfinished: boolean;
  /** Undefined until the API server has told the time. */
  readonly deadlineLeftMilliseconds: number | undefined;
  readonly note: StageNote | undefined;
};

/** One step of the order, carried out by the effects table. */
export type Action =
  | { readonly do: 'gate' }
  | { readonly do: 'settle' }
  | { readonly do: 'queue' }
  | { readonly do: 'yieldTurn' }
  | { readonly do: 'takeLease' }
  | { readonly do: 'announceTakeover' }
  | { readonly do: 'startWork' }
  | { readonly do: 'cancelWork'; readonly reason: FailureReason; readonly message: string }
  | { readonly do: 'note'; readonly stage: Stage; readonly reason: ProgressReason }
  | {
      readonly do: 'reportStage';
      readonly stage: Stage;
      readonly reason: ProgressReason;
      readonly message: string;
      readonly progress: Progress | undefined;
    }
  | { readonly do: 'reportReady' }
  | {
      readonly do: 'reportFailed';
      readonly reason: FailureReason;
      readonly message: string;
      readonly sourceState: SourceState;
    }
  /** `retry`: the rest waits until the store has answered; `go on`: an end must not depend on a store that is away. */
  | { readonly do: 'discardArtifact'; readonly onFailure: 'retry' | 'go on' }
  | { readonly do: 'reportDeleted' }
  /** The four of a source that waits for a decision: its pod, its processes either way, and the word that they have ended. */
  | { readonly do: 'deletePod' }
  | { readonly do: 'endSource' }
  | { readonly do: 'runSource' }
  | { readonly do: 'reportTerminated' }
  | {
      readonly do: 'sentinel';
      readonly name: 'snapshot-complete' | 'snapshot-failed';
      readonly text: string;
    }
  | { readonly do: 'unlabel' }
  | { readonly do: 'dropStaging' }
  | { readonly do: 'releaseLease' }
  | { readonly do: 'closeIntent' }
  | { readonly do: 'forget' }
  | { readonly do: 'again'; readonly afterMilliseconds: number };
