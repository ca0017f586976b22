import type { Failure } from '../../core/failure.ts';
import type { ProcessIdentity } from '../proc/identity.ts';
import type { Outlook } from './outlook.ts';

export type { ProcessIdentity };

/** What preflight found in the way; the message names process, descriptor and remedy. */
export type Blocker = { readonly check: string; readonly message: string };

/** What a look at the running source found. */
export type Preflight = {
  readonly blockers: readonly Blocker[];
  readonly estimatedBytes: number;
  readonly outlook: Outlook;
};

/** A container to capture, as resolved from pod status and /proc. Paths are as the agent opens them. */
export type SourceContainer = {
  readonly name: string;
  readonly containerID: string;
  readonly root: ProcessIdentity;
};

/** What a backend can do on this node, with a sentence for each "no". */
export type BackendProbe = {
  readonly usable: boolean;
  readonly why: string;
  readonly version: string;
};

/** Files left in staging by a finished dump; the artifact is packed from them. Paths relative to the staging directory. */
export type DumpResult = {
  readonly freezeMilliseconds: number;
  /** Wall clock of the first stop, RFC 3339. */
  readonly frozenAt: string;
  /** Directory with CRIU's images (pages-*.img among them). */
  readonly imagesDirectory: string;
  /** GNU tar of the overlay's upper directory, taken inside the freeze. */
  readonly rootfsTar: string;
  /** GNU tar per captured volume (/dev/shm), taken inside the freeze. */
  readonly volumeTars: readonly { readonly name: string; readonly path: string }[];
  /** Mounts of the container and how each was treated. */
  readonly mounts: readonly {
    readonly path: string;
    readonly treatment: 'rootfs' | 'criu' | 'external' | 'volume';
  }[];
  /** Names of stdin, stdout, stderr as CRIU knows them (`pipe:[1234]`), for --inherit-fd at restore. */
  readonly stdio: readonly string[];
  readonly options: readonly string[];
  readonly criuVersion: string;
};

/** A dump going on. The hold is reached inside the freeze; until `release` the source stays frozen, for good reason only. */
export interface RunningCapture {
  readonly process: ProcessIdentity;
  /** Resolves when every task is frozen and dumped and the hold waits; rejects with a Failure when CRIU failed before. */
  held(): Promise<void>;
  /** Inside the hold: captures the writable layer and volumes, then lets the source go on; resolves after CRIU has ended and every process runs. */
  release(signal: AbortSignal): Promise<DumpResult>;
  /** Ends the capture from inside (never by killing CRIU), also in the middle of the memory; resolves once the source runs on, verified. Idempotent. */
  abort(why: Failure): Promise<void>;
}

/** One way to capture containers of this node. */
export interface CaptureBackend {
  /** What it can do here; cheap, and cached as long as the program behind it is the same file. */
  probe(signal: AbortSignal): Promise<BackendProbe>;
  /** All blockers at once, the bytes a dump would write, and what it would be; freezes nothing. */
  preflight(request: CaptureRequest, signal: AbortSignal): Promise<Preflight>;
  /** Starts the dump into an existing, empty staging directory (0700). `onProcess` is called, and awaited, before CRIU can freeze anything. */
  start(
    request: CaptureRequest,
    onProcess: (process: ProcessIdentity) => Promise<void>,
    signal: AbortSignal,
  ): Promise<RunningCapture>;
  /**
   * After a restart of the agent: what became of a capture another process of the agent began. Waits until its CRIU has ended (its pipes are
   * closed, so it does) and every process of the source runs, thawing what is left stopped.
   */
  settle(
    left: {
      readonly criu: ProcessIdentity | undefined;
      readonly source: ProcessIdentity | undefined;
      /** The staging directory of that capture, where it noted which processes were stopped before it began: they stay stopped. */
      readonly stagingDirectory?: string;
    },
    signal: AbortSignal,
  ): Promise<{ readonly sourceRuns: boolean }>;
}

/** One capture: which container, where to put the bytes. */
export type CaptureRequest = {
  readonly container: SourceContainer;
  readonly podUID: string;
  readonly stagingDirectory: string;
  /** Longest time the source may stand still, from its first stop to its last thaw; over it the capture fails with FreezeBudgetExceeded. */
  readonly freezeBudgetSeconds?: number | undefined;
  /** Told a few times a second inside the freeze how many bytes of memory and files are written; must not throw. */
  readonly onProgress?: (bytesWritten: number) => void;
};
