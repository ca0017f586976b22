import { formatBytes } from '../../core/units.ts';
import { type Check, connectionOf, descriptorsWhere, nameOf, shown } from './check-wording.ts';
import { type Descriptor, largestUnlinkedFileBytes, type SourceFacts } from './facts.ts';

/** Kernel objects that CRIU can save; any other anonymous inode ends a dump. */
const savedAnonymousInodes = [
  '[eventfd]',
  '[eventpoll]',
  '[timerfd]',
  '[signalfd]',
  '[pidfd]',
  'inotify',
  '[fanotify]',
];

const anonymous = 'anon_inode:';
const ioUringInode = 'anon_inode:[io_uring]';
const ioUringRemedy =
  'is an io_uring, which cannot be saved; turn it off in the program or block it by seccomp';

/** Files of /dev that are the same everywhere. */
const plainDevice =
  /^\/dev\/(null|zero|full|random|urandom|tty|ptmx|shm\/.*|mqueue\/.*|pts\/.*|termination-log)( \(deleted\))?$/;

/** The same by number, wherever the file is: null, zero, full, random, urandom, tty, console, ptmx, and terminals. */
const plainDeviceNumber = /^(1:[35789]|5:[012]|1(3[6-9]|4[0-3]):\d+)$/;

const isSpecialDevice = ({ target, device }: Descriptor): boolean =>
  device === undefined
    ? target.startsWith('/dev/') && !plainDevice.test(target)
    : device.kind === 'block' || !plainDeviceNumber.test(device.number);

/** What processes hold open, or mapped, that cannot be saved. */
export const descriptorChecks = {
  ioUring: (facts) => [
    ...descriptorsWhere(
      facts,
      ({ target }) => target === ioUringInode,
      (where) => `${where} ${ioUringRemedy}`,
    ),
    ...facts.processes
      .filter(
        ({ descriptors, mappedObjects }) =>
          mappedObjects.includes(ioUringInode) &&
          !descriptors.some(({ target }) => target === ioUringInode),
      )
      .map((process) => `memory of ${nameOf(process)} ${ioUringRemedy}`),
  ],

  kernelObjects: (facts) => [
    ...descriptorsWhere(
      facts,
      ({ target }) =>
        target.startsWith(anonymous) &&
        target !== ioUringInode &&
        !savedAnonymousInodes.includes(target.slice(anonymous.length)),
      (where, target) => `${where} is ${target}, which cannot be saved; let the program close it`,
    ),
    ...facts.processes
      .filter(({ mappedObjects }) =>
        mappedObjects.some((target) => target.startsWith('/secretmem')),
      )
      .map(
        (process) =>
          `${nameOf(process)} has secret memory (memfd_secret), which nobody but itself can read; let the program do without`,
      ),
    ...facts.processes.flatMap((process) =>
      process.mappedObjects
        .filter(
          (object) =>
            object.startsWith(anonymous) &&
            object !== ioUringInode &&
            !process.descriptors.some(({ target }) => target === object),
        )
        .map(
          (object) =>
            `${nameOf(process)} maps ${shown(object)}, which cannot be saved; let the program unmap it`,
        ),
    ),
  ],

  devices: (facts) => [
    ...descriptorsWhere(facts, isSpecialDevice, (where, target, { device }) =>
      device?.kind === 'block'
        ? `${where} is the block device ${target} (${device.number}), which cannot be captured; use a volume with a file system`
        : `${where} is the device ${target}, whose state cannot be saved; close it before the capture`,
    ),
    ...facts.processes.flatMap((process) =>
      process.mappedDevices
        .filter((device) => !plainDevice.test(device))
        .map(
          (device) =>
            `${nameOf(process)} maps the device ${device}, whose state cannot be saved; close it before the capture`,
        ),
    ),
  ],

  terminal: (facts) => {
    const own = mastersOf(facts);
    return descriptorsWhere(
      facts,
      ({ target }) =>
        /^\/dev\/pts\/\d/.test(target) && !own.has(target.replace(/ \(deleted\)$/, '')),
      (where) => `${where} is a terminal whose other side is outside the container; set tty: false`,
    );
  },

  unlinkedFiles: (facts) =>
    descriptorsWhere(
      facts,
      ({ target, unlinkedBytes = 0 }) =>
        unlinkedBytes > largestUnlinkedFileBytes && !target.startsWith('/memfd:'),
      (where, target, { unlinkedBytes = 0 }) =>
        `${where} is ${target} of ${formatBytes(unlinkedBytes)}: a deleted file of more than ${formatBytes(largestUnlinkedFileBytes)} cannot be carried along; close it or keep its name`,
    ),

  unixSockets: ({ unixPeersOutside }) =>
    unixPeersOutside.map(
      (connection) =>
        `${connectionOf(connection)} is connected to a process outside the container, and one half of a connection cannot be saved; close it before the capture`,
    ),

  multipathTcp: ({ multipathListeners, multipathConnections }) => [
    ...multipathListeners.map(
      (address) =>
        `a socket listens on ${address} with MPTCP, which cannot be saved; for a Go program set GODEBUG=multipathtcp=0`,
    ),
    ...multipathConnections.map(
      (connection) =>
        `${connectionOf(connection)} uses MPTCP, which cannot be saved; for a Go program set GODEBUG=multipathtcp=0`,
    ),
  ],
} as const satisfies Readonly<Record<string, Check>>;

/** Terminals whose other side a process of the source holds: both sides are saved. */
function mastersOf({ processes }: SourceFacts): ReadonlySet<string> {
  return new Set(
    processes.flatMap(({ descriptors }) =>
      descriptors.flatMap(({ masterOf }) => (masterOf === undefined ? [] : [masterOf])),
    ),
  );
}
