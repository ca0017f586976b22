import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';

/** Where a content stands for the control plane: a capture is the snapshot's affair; here its routing and its end are decided. */
export const contentPhases = ['Live', 'Deleting'] as const;
/** One phase of a content. */
export type ContentPhase = (typeof contentPhases)[number];

/** Everything that is known of a content at one moment. */
export type ObservedContent = {
  readonly phase: ContentPhase;
  readonly content: PodSnapshotContent;
  /** The node whose agent has it: by label, or before that by its spec. */
  readonly node: string | undefined;
  /** The agent of that node; undefined where nobody needs to know, or where there is no node. */
  readonly agent: { readonly silentMilliseconds: number; readonly nodeGone: boolean } | undefined;
  /** Another node, whose agent is heard and serves the store that holds the bytes, or is to hold them. */
  readonly heir: string | undefined;
  /** The store of that node is shared, as far as its agent ever said. */
  readonly isShared: boolean;
  /** There is a Lease of a capture: an agent has begun, whether the status says so or not. Asked for only where it matters. */
  readonly begun: boolean;
  /** The snapshot that its back-link names by UID is gone, by the API server's own word, and took no leave: somebody removed its finalizer. */
  readonly orphaned: boolean;
};

/** What a reconcile of a content may do. */
export type ContentAction =
  | { readonly do: 'removeFinalizer' }
  /** Gives it to the agent of a node. With a message, in an event, where it was another's before. */
  | { readonly do: 'route'; readonly node: string; readonly message: string | undefined }
  /** Asks the agent to end a capture that nobody wants any more. */
  | { readonly do: 'cancel' }
  | { readonly do: 'delete' }
  | { readonly do: 'release'; readonly message: string }
  /** The bytes are gone with their node: said in an event, because nobody can delete them any more. */
  | { readonly do: 'writeOff'; readonly message: string };
