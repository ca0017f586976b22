import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';

/** Where a content stands for the control plane: its order is the snapshot's affair, only its end is decided here. */
export const contentPhases = ['Live', 'Deleting'] as const;
/** One phase of a content. */
export type ContentPhase = (typeof contentPhases)[number];

/** Everything that is known of a content at one moment. */
export type ObservedContent = {
  readonly phase: ContentPhase;
  readonly content: PodSnapshotContent;
  /** Undefined where nobody needs to know, or where the content names no node. */
  readonly agent: { readonly silentMilliseconds: number; readonly nodeGone: boolean } | undefined;
};

/** What a reconcile of a content may do. */
export type ContentAction =
  | { readonly do: 'removeFinalizer' }
  /** The bytes are gone with their node: said in an event, because nobody can delete them any more. */
  | { readonly do: 'writeOff'; readonly message: string };
