import type { CaptureRequest } from '../backend.ts';
import { largestUnlinkedFileBytes } from '../facts.ts';
import { pageServerDescriptor } from './hold.ts';
import type { PlannedMount } from './mount-plan.ts';

/** Everything a dump's command line depends on. Directories and files as this process sees them. */
export type DumpArguments = {
  readonly pid: number;
  /** The container's root as seen from here, /proc/PID/root. */
  readonly root: string;
  readonly imagesDirectory: string;
  readonly actionScript: string;
  readonly networkNamespaceInode: string;
  readonly mounts: readonly PlannedMount[];
  /** Paths within the container's root that are watched with inotify. */
  readonly watchedPaths: readonly string[];
  readonly memoryPath: MemoryPath;
} & Asked;

/** What the order wants of the dump beside the bytes. */
export type Asked = Pick<CaptureRequest, 'afterCapture' | 'tcp'>;

/** How memory gets into the images: written by CRIU itself, or through our page server on a descriptor that CRIU inherits. */
export type MemoryPath = 'files' | 'page-server';

/** Name of the log inside the images directory. */
export const dumpLogName = 'dump.log';

/** Preflight refuses what is larger: CRIU would fail in the freeze. */
const ghostLimit = `${largestUnlinkedFileBytes / 2 ** 20}M`;

/** The name a restore gives to the placeholder's network namespace with --inherit-fd. */
export const networkNamespaceKey = 'extNetNs';

const saved = ['--network-lock', 'nftables', '--tcp-established'] as const;

/**
 * Connections that are saved must not move while they are: an answer to a packet of a socket that CRIU has taken apart would reset them. The
 * lock is a table of nftables in the pod's network, which CRIU makes itself (ADR 17) and removes when the tree runs on. Connections that the
 * image closes need none. Under Refuse those that are left have both ends in the source.
 */
const tcpOptions = {
  Close: ['--network-lock', 'skip', '--tcp-close'],
  Established: saved,
  Refuse: saved,
} as const satisfies Record<Asked['tcp'], readonly string[]>;

/**
 * The options that decide what a dump is, recorded in the artifact. `--leave-running`: CRIU itself unlocks the network, removes its link
 * remaps and sets the tree running, and a task that was stopped before stays stopped (not --leave-stopped, which leaves all three to somebody
 * who may be dead). Without it CRIU ends the tree, once the hold has let it. No freeze cgroup: a frozen one would outlive CRIU and keep the source stopped.
 */
export function dumpOptions(
  mounts: readonly PlannedMount[],
  networkNamespaceInode: string,
  asked: Asked,
): readonly string[] {
  return [
    ...(asked.afterCapture === 'Resume' ? ['--leave-running'] : []),
    ...mounts
      .filter((mount) => mount.treatment === 'external' || mount.treatment === 'volume')
      .flatMap((mount) => ['--external', `mnt[${mount.path}]:${mount.path}`]),
    '--external',
    `net[${networkNamespaceInode}]:${networkNamespaceKey}`,
    ...tcpOptions[asked.tcp],
    '--manage-cgroups=ignore',
    // A connection that waits to be accepted is closed like any other; without this one of them ends the dump of a busy server.
    '--skip-in-flight',
    '--file-locks',
    '--ext-unix-sk',
    '--link-remap',
    '--force-irmap',
    '--evasive-devices',
    '--ghost-limit',
    ghostLimit,
    // Writes down what the CPU can do, for a restore to compare.
    '--cpu-cap=ins',
  ];
}

/** argv of `criu dump` without the program's name. */
export function dumpArguments(request: DumpArguments): readonly string[] {
  return [
    'dump',
    // A configuration file of the image or the node must not change what a dump is.
    '--no-default-config',
    '--tree',
    String(request.pid),
    '--images-dir',
    request.imagesDirectory,
    '--log-file',
    dumpLogName,
    '-v4',
    '--root',
    request.root,
    '--action-script',
    request.actionScript,
    ...(request.memoryPath === 'page-server'
      ? ['--page-server', '--ps-socket', String(pageServerDescriptor)]
      : []),
    ...request.watchedPaths.flatMap((path) => ['--irmap-scan-path', path]),
    ...dumpOptions(request.mounts, request.networkNamespaceInode, request),
  ];
}
