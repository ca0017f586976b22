import type { Core } from '../../criu-images/core.ts';

/** A node as a capture recorded it, or as this one is. Undefined is unknown, and unknown never refuses. */
export type NodeSide = {
  readonly architecture?: string | undefined;
  readonly kernelVersion?: string | undefined;
  readonly cpu?: string | undefined;
};

/** A thread of the images, as messages name it, with what its core says. */
export type ThreadFacts = { readonly name: string; readonly core: Core };

/** A mount that CRIU would make. */
export type MountFacts = {
  readonly mountPoint: string;
  /** CRIU's number of the file system (mnt.proto). */
  readonly fileSystem: number;
  /** Which one of them, and where from. */
  readonly of: string;
  /** The part of it that is mounted. */
  readonly root: string;
  /** The name under which --external has to provide it. */
  readonly externalAs: string | undefined;
  readonly readOnly: boolean;
};

/** The namespaces of a process by CRIU's numbers: the same number is the same namespace. */
export type NamespaceFacts = {
  readonly name: string;
  readonly mount: number;
  readonly pid: number;
  readonly user: number;
};

/** What the images of a container would make CRIU do. */
export type ImageFacts = {
  /** Files that no dump of ours writes. */
  readonly unknownFiles: readonly string[];
  readonly threads: readonly ThreadFacts[];
  /** Those of CRIU when it dumped, and so those that it restores from. */
  readonly outside: Omit<NamespaceFacts, 'name'>;
  /** Of every process. */
  readonly namespaces: readonly NamespaceFacts[];
  /** One list for each mount namespace, that of the first process at the beginning. */
  readonly mountTables: readonly (readonly MountFacts[])[];
  /** For each network namespace the name under which it is to be inherited; undefined is one that CRIU makes. */
  readonly networks: readonly (string | undefined)[];
  /** CRIU's number of the way in which connections were held still. */
  readonly networkLock: number | undefined;
  /** Each kind of open descriptor as CRIU numbers it (fd_types), a socket that is raw apart. */
  readonly descriptors: ReadonlySet<number | 'raw'>;
};

/** What the placeholder's container may do, by its init and the pod's spec. */
export type Privileges = {
  /** Real, effective, saved, of file systems. */
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  /** Supplementary ones. */
  readonly groups: readonly number[];
  readonly permitted: bigint;
  readonly bounding: bigint;
  readonly noNewPrivileges: boolean;
  readonly seccompMode: number;
  /** Of AppArmor or SELinux; undefined where none confines it. */
  readonly securityProfile: string | undefined;
  readonly ownUserNamespace: boolean;
  readonly mustNotBeRoot: boolean;
};

/** The placeholder's mount table. */
export type TargetMounts = {
  readonly points: ReadonlySet<string>;
  readonly readOnly: ReadonlySet<string>;
};

/** One container, both sides. What is undefined is not known (yet). */
export type ContainerFacts = {
  readonly name: string;
  readonly capturedImageID: string;
  readonly residentBytes: number;
  /** Where the dump took a mount as given. */
  readonly externalMounts: readonly string[];
  readonly imageID: string | undefined;
  readonly memoryLimitBytes: number | undefined;
  readonly mounts: TargetMounts | undefined;
  readonly privileges: Privileges | undefined;
  readonly images: ImageFacts | undefined;
};

/** Everything that the gates judge. */
export type GateFacts = {
  readonly captured: NodeSide;
  readonly node: NodeSide;
  /** What CRIU finds lacking in this CPU; undefined where nothing, or where it is not known. */
  readonly cpuProblem: string | undefined;
  readonly containers: readonly ContainerFacts[];
};

/** A gate over one container: a sentence for each thing that is in the way. Pure. */
export type ContainerGate = (facts: ContainerFacts) => readonly string[];
