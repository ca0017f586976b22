import type { ContentStatus, PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { Pod } from '../../core/api/workload.ts';
import type { Clock } from '../../core/clock.ts';
import type { HeldLease } from '../../runtime/held-lease.ts';
import type { Kube, ServerClock } from '../../runtime/kube-port.ts';
import type { Log } from '../../runtime/log.ts';
import type { CaptureBackend, DumpResult, SourceContainer } from '../capture/backend.ts';
import type { Journal } from '../journal/journal.ts';
import type { ReferenceKey } from '../store/store.ts';
import type { CaptureFacts, Published } from './facts.ts';
import type { FreezeOutlook } from './freeze-outlook.ts';
import type { HeldBack } from './held-back.ts';
import type { Space } from './space.ts';
import type { Staging } from './staging.ts';
import type { NodeFacts } from './status.ts';

/** The watched objects of this node. */
export interface OrderCache {
  content(name: string): PodSnapshotContent | undefined;
  contents(): readonly PodSnapshotContent[];
  pod(namespace: string, name: string): Pod | undefined;
}

/** What a finished dump is published with. */
export type PublishRequest = {
  readonly content: PodSnapshotContent;
  readonly facts: CaptureFacts;
  readonly dump: DumpResult;
  readonly stagingDirectory: string;
  readonly key: ReferenceKey;
  readonly fence: number;
  /** Awaited right before the reference, the first step that others can see; a rejection ends the publish without it. */
  readonly beforeReference: () => Promise<void>;
  readonly onProgress: (progress: {
    readonly bytesDone: number;
    readonly bytesTotal: number;
  }) => void;
};

/** A complete artifact that somebody published for the order before. */
export type Standing = { readonly published: Published; readonly freezeMilliseconds: number };

/** An artifact from elsewhere, and what it says of its source. */
export type Adopted = {
  readonly published: Published;
  readonly source: NonNullable<ContentStatus['source']>;
};

/** Artifacts of the store, as the order needs them. Errors as the store's. */
export interface Artifacts {
  /** As `spec.source.artifact.store` of a content says it. */
  readonly storeName: string;
  /** Rejects with StorageError when nothing could be written now; changes nothing. */
  checkWritable(signal: AbortSignal): Promise<void>;
  publish(request: PublishRequest, signal: AbortSignal): Promise<Published>;
  /** What stands under the key: an artifact; 'damaged' when its publisher died before all of it was seen to be there; undefined for nothing. */
  find(key: ReferenceKey, signal: AbortSignal): Promise<Standing | 'damaged' | undefined>;
  /** Gives an artifact of the store a reference under the key. `ArtifactLost` (gone) and `ArtifactCorrupt` (terminal) where there is none, or none that is whole. */
  adopt(digest: string, key: ReferenceKey, signal: AbortSignal): Promise<Adopted>;
  /** Takes back the reference, if there is one, and frees what nothing else names; also what a publish from the staging directory stored. */
  discard(
    key: ReferenceKey,
    stagingDirectory: string | undefined,
    signal: AbortSignal,
  ): Promise<void>;
}

/** The source's processes and its control volume. */
export interface Sources {
  /** The containers with their first processes, in the order given. Failure 'ContainerNotResolved' when one is not on this node. */
  resolve(
    pod: Pod,
    containers: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly SourceContainer[]>;
  /** Writes a sentinel. False when the pod has no control volume for the container. */
  tell(pod: Pod, container: string, name: string, text: string): Promise<boolean>;
}

/** One attempt at a content's Lease. */
export type LeaseTry =
  | { readonly held: true; readonly lease: HeldLease }
  | { readonly held: false; readonly message: string; readonly againInMilliseconds: number };

/** What an event is about. */
export type Regarding = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
};

/** Tells people; never throws and never waits. */
export type Announce = (event: {
  readonly regarding: Regarding;
  readonly type: 'Normal' | 'Warning';
  readonly reason: string;
  readonly action: string;
  readonly note: string;
}) => void;

/** Figures of the order machine. Times in milliseconds. */
export interface OrderMetrics {
  froze(milliseconds: number): void;
  dumped(milliseconds: number): void;
  published(milliseconds: number): void;
  ended(reason: string): void;
  blocked(check: string): void;
  violated(invariant: string): void;
  leaseLost(): void;
}

/** Everything the order machine uses; built in main.ts only. */
export type OrderDeps = {
  readonly kube: Kube & ServerClock;
  readonly cache: OrderCache;
  readonly journal: Journal;
  /** The journal was damaged and is a fresh one: what an earlier agent still owed is not in it. */
  readonly journalLost: boolean;
  readonly backend: CaptureBackend;
  readonly artifacts: Artifacts;
  readonly sources: Sources;
  readonly staging: Staging;
  readonly space: Space;
  readonly heldBack: HeldBack;
  readonly lease: (content: PodSnapshotContent, signal: AbortSignal) => Promise<LeaseTry>;
  /** What a spec asks for that is not served, one sentence each. */
  readonly refusals: (content: PodSnapshotContent) => readonly string[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Log;
  readonly announce: Announce;
  readonly metrics: OrderMetrics;
  readonly freezeOutlook: FreezeOutlook;
  readonly nodeName: string;
  readonly nodeFacts: NodeFacts;
  /** Identifies this boot of the machine: file pages not yet on disk survive a process, not a boot. */
  readonly bootID: string;
};
