import type { Failure } from '../../core/failure.ts';
import type { CaptureProcesses, ProcessIdentity } from '../proc/identity.ts';
import type { Outlook } from './outlook.ts';

export type { CaptureProcesses, ProcessIdentity };

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
  /** From the first stop of a container to the last thaw. */
  readonly freezeMilliseconds: number;
  /** In the order they were asked for. */
  readonly containers: readonly DumpedContainer[];
  /** GNU tar per captured volume, taken inside the freeze: each once, however many containers mount it. */
  readonly volumeTars: readonly { readonly name: string; readonly path: string }[];
  readonly criuVersion: string;
};

/** A container's part of a dump. */
export type DumpedContainer = {
  readonly name: string;
  readonly freezeMilliseconds: number;
  /** Wall clock of the first stop, RFC 3339. */
  readonly frozenAt: string;
  /** Directory with CRIU's images (pages-*.img among them). */
  readonly imagesDirectory: string;
  /** GNU tar of the overlay's upper directory, taken inside the freeze. */
  readonly rootfsTar: string;
  readonly mounts: readonly TreatedMount[];
  /** Names of stdin, stdout, stderr as CRIU knows them (`pipe:[1234]`), for --inherit-fd at restore. */
  readonly stdio: readonly string[];
  readonly options: readonly string[];
};

/** A mount of the container and how it was treated. */
export type TreatedMount = {
  readonly path: string;
  readonly treatment: 'rootfs' | 'criu' | 'external' | 'volume';
  /** Name of the pod's volume, or `dev-shm` for the sandbox's; with the treatment `volume` that of its entry in `volumeTars`. */
  readonly volume?: string | undefined;
  /** What it is in the pod's spec: `emptyDir`, `projected`, `persistentVolumeClaim`. */
  readonly kind?: string | undefined;
  /** The part of the volume that is mounted, where it is not all of it. */
  readonly subPath?: string | undefined;
  readonly claim?: string | undefined;
};

/** A volume of the pod as its spec has it, and where the containers mount it. */
export type PodVolume = {
  readonly name: string;
  /** The field of the spec that says what it is: `emptyDir`, `persistentVolumeClaim`. */
  readonly kind: string;
  readonly claim?: string | undefined;
  readonly mounts: readonly { readonly container: string; readonly path: string }[];
};

/** A dump going on. The hold is reached inside the freeze; until `release` the source stays frozen, for good reason only. */
export interface RunningCapture {
  /** Resolves when every task of every container is frozen and dumped and the hold waits; rejects with a Failure when one CRIU failed before. */
  held(): Promise<void>;
  /** Inside the hold: captures writable layers and volumes, then lets the source go on; resolves after every CRIU has ended and every process runs. */
  release(signal: AbortSignal): Promise<DumpResult>;
  /**
   * In place of `release`, for a source that is to be ended: captures the same, and the source stays frozen. `broken` aborts, with a Failure,
   * when it does not any more, until `commit` has answered.
   */
  keep(signal: AbortSignal): Promise<KeptCapture>;
  /** Makes the hold wait for a decision (`CaptureBackend.decide`): true once nothing else moves the source, whoever dies. Never rejects. */
  commit(): Promise<boolean>;
  /** Ends the capture from inside (never by killing CRIU), also in the middle of the memory; resolves once the source runs on, verified. Idempotent. */
  abort(why: Failure): Promise<void>;
}

/** A capture whose source stays frozen. */
export type KeptCapture = { readonly dump: DumpResult; readonly broken: AbortSignal };

/** A capture that may wait for a decision. */
export type CommittedCapture = {
  readonly processes: readonly CaptureProcesses[];
  readonly stagingDirectory: string;
};

/** One way to capture containers of this node. */
export interface CaptureBackend {
  /** What it can do here; cheap, and cached as long as the program behind it is the same file. */
  probe(signal: AbortSignal): Promise<BackendProbe>;
  /** All blockers at once, the bytes a dump would write, and what it would be; freezes nothing. */
  preflight(request: CaptureRequest, signal: AbortSignal): Promise<Preflight>;
  /**
   * Starts the dump into an existing, empty staging directory (0700). `onProcesses` is called once, and awaited, before any CRIU can freeze
   * anything.
   */
  start(
    request: CaptureRequest,
    onProcesses: (processes: readonly CaptureProcesses[]) => Promise<void>,
    signal: AbortSignal,
  ): Promise<RunningCapture>;
  /**
   * After a restart of the agent: what became of a capture another process of the agent began. Waits until its CRIUs have ended (their pipes
   * are closed, so they do) and every process of the source runs, thawing what is left stopped.
   */
  settle(
    left: {
      /** Of each container what is known. */
      readonly processes: readonly {
        readonly source: ProcessIdentity | undefined;
        readonly criu: ProcessIdentity | undefined;
      }[];
      /** The staging directory of that capture, where it noted which processes were stopped before it began: they stay stopped. */
      readonly stagingDirectory?: string;
    },
    signal: AbortSignal,
  ): Promise<{ readonly sourceRuns: boolean }>;
  /** Whether the capture of a process of the agent that is gone waits for a decision; true once it has said so. */
  isCommitted(capture: CommittedCapture, signal: AbortSignal): Promise<boolean>;
  /** Ends the source of a committed capture, or lets it run on, and waits until it does. Again is harmless. */
  decide(
    capture: CommittedCapture,
    decision: 'end' | 'run',
    signal: AbortSignal,
  ): Promise<{ readonly sourceRuns: boolean }>;
  /** What captures that no journal knows have left of processes, by their staging directories. Looks; changes nothing. */
  findLeft(stagingDirectories: readonly string[]): Promise<readonly LeftCapture[]>;
}

/** A capture of an agent that is gone, as the world shows it: what still works on it, and what it was to freeze. */
export type LeftCapture = Parameters<CaptureBackend['settle']>[0] & {
  readonly stagingDirectory: string;
};

/** One capture: which containers of one pod, all in one freeze; where to put the bytes. */
export type CaptureRequest = {
  readonly containers: readonly SourceContainer[];
  readonly podUID: string;
  readonly volumes: readonly PodVolume[];
  readonly stagingDirectory: string;
  /** Longest time the source may stand still, from its first stop to its last thaw; over it the capture fails with FreezeBudgetExceeded. */
  readonly freezeBudgetSeconds?: number | undefined;
  /** `Terminate`: the capture is kept, not released, and CRIU ends the source. */
  readonly afterCapture: 'Resume' | 'Terminate';
  /** Established TCP connections: closed in the image, saved, or in the way. */
  readonly tcp: 'Close' | 'Established' | 'Refuse';
  /** Told a few times a second inside the freeze how many bytes of memory and files are written; must not throw. */
  readonly onProgress?: (bytesWritten: number) => void;
};
