import { shown } from '../../capture/check-wording.ts';
import { networkNamespaceKey } from '../../capture/criu/arguments.ts';
import { type Capability, hasCapability } from './capabilities.ts';
import type { ContainerGate, MountFacts } from './facts.ts';

/** FSTYPE__PROC of mnt.proto. */
const procFileSystem = 1;
/** 0 is iptables, a program that CRIU would look for in the container; nftables is a library, 2 is none. */
const locksWithoutProgram = new Set([1, 2]);

/** Where writing (or, of kcore, reading) reaches the node whatever the capabilities. A container that hides them must have them hidden again. */
const guarded = [
  ...['/proc/sys', '/proc/sysrq-trigger', '/proc/irq', '/proc/bus', '/proc/fs', '/proc/kcore'],
] as const;

/** Descriptors that a container without this capability could not have opened. */
const takes = new Map<number | 'raw', readonly [what: string, needed: Capability]>([
  ['raw', ['a raw socket', 'NET_RAW']],
  [10, ['a packet socket', 'NET_RAW']],
  [12, ['a fanotify descriptor', 'SYS_ADMIN']],
  [15, ['a tun device', 'NET_ADMIN']],
  [19, ['a BPF map', 'BPF']],
]);
/** Opened by a plugin of CRIU, and there is none. */
const external = 16;

/** Another mount namespace of the container holds copies of its mounts and nothing else. */
function isCopy(mount: MountFacts, main: readonly MountFacts[]): boolean {
  return main.some(
    (one) =>
      one.mountPoint === mount.mountPoint &&
      one.fileSystem === mount.fileSystem &&
      one.root === mount.root &&
      one.of === mount.of &&
      (mount.readOnly || !one.readOnly),
  );
}

/** Why CRIU must not make a mount, undefined when it may. */
function objection(
  { mountPoint, fileSystem, root, externalAs }: MountFacts,
  known: ReadonlySet<string>,
): string | undefined {
  if (mountPoint === '/') return undefined;
  if (externalAs !== undefined) {
    return externalAs === mountPoint && known.has(mountPoint)
      ? undefined
      : 'is taken from outside, and is no mount of the snapshot';
  }
  if (mountPoint === '/proc' && fileSystem === procFileSystem && root === '/') return undefined;
  return 'is made by CRIU itself';
}

/**
 * CRIU does what its images say with the rights of the agent, in the placeholder's namespaces: mounts any file system, starts programs of the container,
 * leaves out a namespace. What no dump of ours asks for is refused.
 */
export const imageGates = {
  imageFiles: ({ images }) =>
    images === undefined || images.unknownFiles.length === 0
      ? []
      : [`the snapshot has CRIU images that none of ours has: ${images.unknownFiles.join(', ')}`],

  namespaces: ({ images }) =>
    (images?.namespaces ?? []).flatMap(({ name, ...own }) => [
      ...(own.mount === images?.outside.mount ? [`${name} has the mount namespace of CRIU`] : []),
      ...(own.pid === images?.outside.pid ? [`${name} has the PID namespace of CRIU`] : []),
      ...(own.user === images?.outside.user ? [] : [`${name} has a user namespace of its own`]),
    ]),

  mountTable: ({ images, externalMounts }) => {
    if (images === undefined) return [];
    const known = new Set(externalMounts);
    const [main = [], ...others] = images.mountTables;
    return [
      ...(main.filter(({ mountPoint }) => mountPoint === '/').length === 1
        ? []
        : ['the mount table of the snapshot has not one root']),
      ...main.flatMap((mount) => {
        const why = objection(mount, known);
        return why === undefined ? [] : [`the mount at ${shown(mount.mountPoint)} ${why}`];
      }),
      ...others
        .flat()
        .flatMap((mount) =>
          isCopy(mount, main)
            ? []
            : [
                `the mount at ${shown(mount.mountPoint)} in another mount namespace is none of the container's`,
              ],
        ),
    ];
  },

  readOnlyMounts: ({ images, mounts }) =>
    (images?.mountTables ?? []).flatMap((table) =>
      table
        .filter(({ mountPoint, readOnly }) => !readOnly && mounts?.readOnly.has(mountPoint))
        .map(
          ({ mountPoint }) =>
            `the mount at ${mountPoint} is writable in the snapshot and read-only in the pod`,
        ),
    ),

  hiddenPaths: ({ images, mounts }) =>
    (images?.mountTables ?? []).flatMap((table) =>
      guarded
        .filter((path) => mounts?.points.has(path))
        .filter((path) => !table.some(({ mountPoint }) => mountPoint === path))
        .map((path) => `the pod hides or protects ${path}, the snapshot does not`),
    ),

  networks: ({ images }) =>
    (images?.networks ?? []).some((key) => key !== networkNamespaceKey)
      ? ['the snapshot has a network namespace that is not that of the pod']
      : [],

  networkLock: ({ images }) =>
    images === undefined || locksWithoutProgram.has(images.networkLock ?? 0)
      ? []
      : ['the snapshot asks for iptables, a program that would be found in the container'],

  descriptors: ({ images, privileges }) =>
    [...(images?.descriptors ?? [])].flatMap((kind) => {
      if (kind === external) return ['the snapshot has a descriptor that needs a plugin of CRIU'];
      const found = takes.get(kind);
      if (found === undefined || privileges === undefined) return [];
      const [what, needed] = found;
      return hasCapability(privileges.bounding, needed)
        ? []
        : [`the snapshot has ${what} open, and the pod's container has not ${needed}`];
    }),
} as const satisfies Readonly<Record<string, ContainerGate>>;
