import type { Pod } from '../../core/api/workload.ts';
import type { Clock } from '../../core/clock.ts';
import type { Kube } from '../../runtime/kube-port.ts';
import type { Log } from '../../runtime/log.ts';
import type { ArtifactConfig } from '../artifact/config.ts';
import type { Announce } from '../order/deps.ts';
import type { ProcessIdentity } from '../proc/identity.ts';
import type { ReferenceKey } from '../store/store.ts';
import type { CacheObserver } from './artifact-cache.ts';
import type { RestoreBackend } from './backend.ts';
import type { GateName } from './gates/gates.ts';
import type { PlaceholderMarks } from './marks.ts';
import type { PlaceholderInit } from './placeholders.ts';
import type { Slots } from './slots.ts';
import type { WorkDirectories } from './work-directories.ts';

/** An artifact on this node, whole and verified. Given back when nobody restores from it any more. */
export type CachedArtifact = {
  readonly config: ArtifactConfig;
  /** What extractArtifact left. */
  readonly directory: string;
  release(): void;
};

/** Artifacts of the store as files of this node, shared by all restores from one. Errors as the store's. */
export interface ArtifactCache {
  /** `digest` is what the snapshot says: another artifact under its key is ArtifactCorrupt. `onBytes` hears of what is there of a fetch under way. */
  fetch(
    key: ReferenceKey,
    digest: string,
    signal: AbortSignal,
    onBytes?: (bytesSoFar: number) => void,
  ): Promise<CachedArtifact>;
  /** What the artifact says about itself, verified like the rest; without its layers. */
  describe(key: ReferenceKey, digest: string, signal: AbortSignal): Promise<ArtifactConfig>;
}

/** Figures of restores. */
export type RestoreMetrics = {
  /** An attempt, by the reason of its end. */
  readonly ended: (outcome: RestoreOutcome) => void;
  readonly took: (step: RestoreStep, milliseconds: number) => void;
  readonly refused: (gate: GateName) => void;
} & CacheObserver;
export type RestoreOutcome = 'RestoreSucceeded' | 'RestoreFailed' | 'RestoreIncompatible';
/** `fetch`: the artifact to this node. `apply`: files into the placeholder. `restore`: CRIU. */
export type RestoreStep = 'fetch' | 'apply' | 'restore';

/** Everything the restore machine uses; built in the agent's composition only. */
export type RestoreDeps = {
  readonly kube: Kube;
  readonly pod: (namespace: string, name: string) => Pod | undefined;
  /** The init of this container of the pod that began at these ticks; undefined when there is none. */
  readonly findInit: (
    pod: Pod,
    container: string,
    ticks: number,
  ) => Promise<PlaceholderInit | undefined>;
  /** Sends SIGKILL to exactly this process, if it is still there. */
  readonly end: (process: ProcessIdentity) => Promise<void>;
  /** The restored root by its number in the placeholder's PID namespace; undefined when it is not there or has ended. */
  readonly findRestored: (
    placeholder: ProcessIdentity,
    pid: number,
  ) => Promise<ProcessIdentity | undefined>;
  readonly marks: PlaceholderMarks;
  readonly cache: ArtifactCache;
  readonly backend: RestoreBackend;
  readonly metrics: RestoreMetrics;
  readonly clock: Clock;
  readonly log: Log;
  readonly announce: Announce;
  readonly nodeName: string;
  readonly workDirectories: WorkDirectories;
  /** Restores that put files and processes into placeholders at a time. */
  readonly slots: Slots;
};
