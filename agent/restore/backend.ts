import type { ArtifactContainer } from '../artifact/config.ts';
import type { ProcessIdentity } from '../proc/identity.ts';

/** One container to be restored: into which placeholder, from what. */
export type RestoreTarget = {
  readonly container: ArtifactContainer;
  /** The placeholder's init. */
  readonly placeholder: ProcessIdentity;
};

/** Containers of one pod to be restored together. */
export type RestoreRequest = {
  readonly podUID: string;
  readonly targets: readonly RestoreTarget[];
  /** What extractArtifact left. */
  readonly filesDirectory: string;
  /** Volumes of the snapshot that other, running containers of the pod use: left as they are. */
  readonly keptVolumes: ReadonlySet<string>;
  /** Not there yet; of this attempt alone. Keeps the logs. */
  readonly workDirectory: string;
};

/** Containers that run again. */
export type RestoreResult = {
  /** The restored roots, each as numbered in its placeholder's PID namespace; in the order of the targets. */
  readonly pids: readonly number[];
  /** From the start of the first CRIU to the end of the last. */
  readonly restoreMilliseconds: number;
};

/** One way to restore containers on this node. */
export interface RestoreBackend {
  /**
   * Whether the placeholders have what the snapshot needs. Throws Failure 'RestoreIncompatible' with both sides named. Changes nothing.
   */
  check(targets: readonly RestoreTarget[], podUID: string): Promise<void>;
  /**
   * Puts the files into the placeholders and the processes beside their inits. Throws Failure 'RestoreFailed' with the decisive lines of the
   * log; then the placeholders are no good any more.
   */
  restore(request: RestoreRequest, signal: AbortSignal): Promise<RestoreResult>;
}
