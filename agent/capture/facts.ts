import type { BackendProbe } from './backend.ts';

/** Largest file without a name that is carried along; its content goes through CRIU's images. */
export const largestUnlinkedFileBytes = 64 * 2 ** 20;

/** An open descriptor: where /proc/PID/fd/N leads, `socket:[1]`, `anon_inode:[io_uring]`, `/dev/null`. */
export type Descriptor = {
  readonly fd: number;
  readonly target: string;
  /** What it is where it is a device, and its number, `1:3`. */
  readonly device?: { readonly kind: 'block' | 'character'; readonly number: string };
  /** Bytes on disk of a file that has no name any more. */
  readonly unlinkedBytes?: number;
  /** Which terminal it is the master of. */
  readonly masterOf?: string;
};

export type ProcessFacts = {
  readonly pid: number;
  readonly command: string;
  /** Who traces it or one of its threads; pid 0 is a tracer that this procfs does not show. */
  readonly tracer: { readonly pid: number; readonly command: string } | undefined;
  readonly descriptors: readonly Descriptor[];
  /** Device files mapped into memory. */
  readonly mappedDevices: readonly string[];
  /** Kernel objects mapped into memory, `anon_inode:[io_uring]`: they live on after their descriptor is closed. */
  readonly mappedObjects: readonly string[];
  /** Namespaces other than the root process', of the kinds that cannot be nested: `pid`, `user`. */
  readonly nestedNamespaces: readonly string[];
};

/** A connection that leaves the captured processes. */
export type OutsideConnection = {
  readonly pid: number;
  readonly command: string;
  readonly fd: number;
  /** `TCP 10.0.0.1:80 to 10.0.0.2:4711`, `unix socket /run/x.sock`. */
  readonly what: string;
};

/** An established TCP connection. Addresses as `10.0.0.1:80`, `[0:0:0:0:0:0:0:1]:80`. */
export type TcpConnection = OutsideConnection & {
  readonly local: string;
  readonly remote: string;
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
  /** In the container, but no descendants of its first process: `kubectl exec`. */
  readonly processesBeside: readonly { readonly pid: number; readonly command: string }[];
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
  /** MPTCP sockets that do not listen. */
  readonly multipathConnections: readonly OutsideConnection[];
  /** Stream sockets whose other side nobody of the source holds. */
  readonly unixPeersOutside: readonly OutsideConnection[];
  /** Established TCP connections. */
  readonly tcpConnections: readonly TcpConnection[];
  /** In a user namespace that is not the node's. */
  readonly ownUserNamespace: boolean;
  /** File systems that somebody mounted inside the container: neither the runtime's nor volumes. */
  readonly ownMounts: readonly { readonly path: string; readonly fileSystem: string }[];
  /** The cgroup that holds the source frozen, undefined when none does. */
  readonly frozenBy: string | undefined;
  /** Why no process of this node can be traced, undefined when they can. */
  readonly tracingProblem: string | undefined;
  readonly memoryBytes: number;
  readonly layerBytes: number;
  /** Device nodes in the writable layer, as the container names them. */
  readonly layerDevices: readonly string[];
  /** Of all volumes that are captured. */
  readonly volumeBytes: number;
  /** Device nodes in them, as a container names them. */
  readonly volumeDevices: readonly string[];
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
