import type { BackendProbe } from './backend.ts';

/** An open descriptor: where /proc/PID/fd/N leads, `socket:[1]`, `anon_inode:[io_uring]`, `/dev/null`. */
export type Descriptor = { readonly fd: number; readonly target: string };

export type ProcessFacts = {
  readonly pid: number;
  readonly command: string;
  readonly tracerPid: number;
  readonly descriptors: readonly Descriptor[];
  /** Device files mapped into memory. */
  readonly mappedDevices: readonly string[];
};

/** A volume that is captured, and one place where it is mounted. */
export type CapturedVolume = {
  readonly name: string;
  readonly path: string;
  readonly fileSystem: string;
};

/** Everything that preflight judges, read while the source runs. Sizes in bytes. */
export type SourceFacts = {
  readonly probe: BackendProbe;
  readonly processes: readonly ProcessFacts[];
  /** Namespaces shared with the node, as pod fields: hostNetwork, hostIPC. */
  readonly sharedWithNode: readonly string[];
  readonly mountPoints: readonly string[];
  readonly volumes: readonly CapturedVolume[];
  /** Volumes that had to be captured and cannot be found, one sentence each. */
  readonly missingVolumes: readonly string[];
  /** Why the writable layer cannot be read, undefined when it can. */
  readonly layerProblem: string | undefined;
  /** Addresses (`0.0.0.0:8080`, `[::]:8080`) on which the source listens with MPTCP. */
  readonly multipathListeners: readonly string[];
  /** A sentence for each thing that cannot be saved though its name looks like any other's. */
  readonly unsavable: readonly string[];
  readonly memoryBytes: number;
  readonly layerBytes: number;
  /** Of all volumes that are captured. */
  readonly volumeBytes: number;
  readonly room: readonly Room[];
};

/** A directory that will be written to and how much of the estimate goes there, at most. */
export type Room = {
  readonly what: string;
  readonly directory: string;
  readonly freeBytes: number;
  /** How many copies of the estimate must fit: 2 where staging and store share a file system. */
  readonly copies: number;
};

/** What a dump writes at most. */
export function estimatedBytes(facts: SourceFacts): number {
  return facts.memoryBytes + facts.layerBytes + facts.volumeBytes;
}
