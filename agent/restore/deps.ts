import type { Pod } from '../../core/api/workload.ts';
import type { Clock } from '../../core/clock.ts';
import type { Kube } from '../../runtime/kube-port.ts';
import type { Log } from '../../runtime/log.ts';
import type { ArtifactConfig } from '../artifact/config.ts';
import type { Announce } from '../order/deps.ts';
import type { ProcessIdentity } from '../proc/identity.ts';
import type { ReferenceKey } from '../store/store.ts';
import type { RestoreBackend } from './backend.ts';
import type { PlaceholderMarks } from './marks.ts';

/** An artifact on this node, whole and verified. Given back when nobody restores from it any more. */
export type CachedArtifact = {
  readonly config: ArtifactConfig;
  /** What extractArtifact left. */
  readonly directory: string;
  release(): void;
};

/** Artifacts of the store as files of this node, shared by all restores from one. Errors as the store's. */
export interface ArtifactCache {
  /** `digest` is what the snapshot says: another artifact under its key is ArtifactCorrupt. */
  fetch(key: ReferenceKey, digest: string, signal: AbortSignal): Promise<CachedArtifact>;
}

/** Everything the restore machine uses; built in the agent's composition only. */
export type RestoreDeps = {
  readonly kube: Kube;
  readonly pod: (namespace: string, name: string) => Pod | undefined;
  /** The placeholders' inits, in the order given. Failure 'ContainerNotResolved' when one is not on this node. */
  readonly resolve: (
    pod: Pod,
    containers: readonly string[],
    signal: AbortSignal,
  ) => Promise<readonly { readonly root: ProcessIdentity }[]>;
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
  readonly clock: Clock;
  readonly log: Log;
  readonly announce: Announce;
  readonly nodeName: string;
  /** Work directories of attempts, with their logs. */
  readonly workDirectory: string;
};
