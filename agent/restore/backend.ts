import type { Pod } from '../../core/api/workload.ts';
import type { ArtifactConfig, ArtifactContainer } from '../artifact/config.ts';
import type { ProcessIdentity } from '../proc/identity.ts';
import type { Refusal } from './gates/gates.ts';

/** One container to be restored: into which placeholder, from what. */
export type RestoreTarget = {
  readonly container: ArtifactContainer;
  /** The placeholder's init. */
  readonly placeholder: ProcessIdentity;
};

/** Whether the snapshot may go into these placeholders. */
export type CheckRequest = {
  readonly targets: readonly RestoreTarget[];
  readonly pod: Pod;
  readonly artifact: ArtifactConfig;
  /** What extractArtifact left; undefined while the artifact is not on this node, and then what it would tell is not known. */
  readonly filesDirectory: string | undefined;
};

/** Containers of one pod to be restored together. */
export type RestoreRequest = {
  readonly podUID: string;
  /** Established TCP connections that were saved. */
  readonly connections: 'Close' | 'Keep';
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
  /** TCP connections that were saved and are closed, of all containers. */
  readonly connectionsClosed: number;
  /** Files into the placeholders. */
  readonly filesMilliseconds: number;
  /** From the start of the first CRIU to the end of the last. */
  readonly restoreMilliseconds: number;
};

/** One way to restore containers on this node. */
export interface RestoreBackend {
  /** Everything that is in the way. Throws ArtifactCorrupt for images that are not what they should be. Changes nothing. */
  check(request: CheckRequest, signal: AbortSignal): Promise<readonly Refusal[]>;
  /**
   * Puts the files into the placeholders and the processes beside their inits. Throws Failure 'RestoreFailed' with the decisive lines of the
   * log; then the placeholders are no good any more.
   */
  restore(request: RestoreRequest, signal: AbortSignal): Promise<RestoreResult>;
}
