import type { ArtifactContainer } from '../artifact/config.ts';
import type { ProcessIdentity } from '../proc/identity.ts';

/** One container to be restored: into which placeholder, from which extracted files. */
export type RestoreRequest = {
  readonly podUID: string;
  /** The placeholder's init. */
  readonly placeholder: ProcessIdentity;
  readonly container: ArtifactContainer;
  /** What extractArtifact left. */
  readonly filesDirectory: string;
  /** Not there yet; of this attempt alone. Keeps the log. */
  readonly workDirectory: string;
};

/** A container that runs again. */
export type RestoreResult = {
  /** Of the restored root, in the placeholder's PID namespace. */
  readonly pid: number;
  /** From the start of CRIU to its end. */
  readonly restoreMilliseconds: number;
};

/** One way to restore containers on this node. */
export interface RestoreBackend {
  /**
   * Puts the files into the placeholder and the process beside its init. Throws Failure: 'RestoreIncompatible' before anything was changed,
   * 'RestoreFailed' with the decisive lines of the log after; then the placeholder is no good any more.
   */
  restore(request: RestoreRequest, signal: AbortSignal): Promise<RestoreResult>;
}
