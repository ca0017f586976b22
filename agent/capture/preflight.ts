import { formatBytes } from '../../core/units.ts';
import type { Blocker } from './backend.ts';
import { type Descriptor, estimatedBytes, type ProcessFacts, type SourceFacts } from './facts.ts';

type Check = (facts: SourceFacts) => readonly string[];

/** Every process with every descriptor that the predicate picks. */
function descriptorsWhere(
  facts: SourceFacts,
  pick: (descriptor: Descriptor, process: ProcessFacts) => boolean,
  say: (where: string, target: string) => string,
): readonly string[] {
  return facts.processes.flatMap((process) =>
    process.descriptors
      .filter((descriptor) => pick(descriptor, process))
      .map(({ fd, target }) => say(`${nameOf(process)}, descriptor ${fd}`, target)),
  );
}

const nameOf = (process: ProcessFacts): string => `process ${process.pid} (${process.command})`;

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

/** Files of /dev that are the same everywhere. */
const plainDevice =
  /^\/dev\/(null|zero|full|random|urandom|tty|ptmx|shm\/.*|mqueue\/.*|pts\/.*|termination-log)( \(deleted\))?$/;

const isAnonymous = (target: string): boolean => target.startsWith('anon_inode:');
const kindOf = (target: string): string => target.slice('anon_inode:'.length);

const checks: Readonly<Record<string, Check>> = {
  criu: ({ probe }) => (probe.usable ? [] : [`CRIU is not usable on this node: ${probe.why}`]),

  ioUring: (facts) =>
    descriptorsWhere(
      facts,
      ({ target }) => kindOf(target) === '[io_uring]',
      (where) =>
        `${where} is an io_uring, which cannot be saved; turn it off in the program or block it by seccomp`,
    ),

  kernelObjects: (facts) =>
    descriptorsWhere(
      facts,
      ({ target }) =>
        isAnonymous(target) &&
        kindOf(target) !== '[io_uring]' &&
        !savedAnonymousInodes.includes(kindOf(target)),
      (where, target) => `${where} is ${target}, which cannot be saved`,
    ),

  devices: (facts) => [
    ...descriptorsWhere(
      facts,
      ({ target }) => target.startsWith('/dev/') && !plainDevice.test(target),
      (where, target) => `${where} is the device ${target}, whose state cannot be saved`,
    ),
    ...facts.processes.flatMap((process) =>
      process.mappedDevices
        .filter((device) => !plainDevice.test(device))
        .map(
          (device) => `${nameOf(process)} maps the device ${device}, whose state cannot be saved`,
        ),
    ),
  ],

  terminal: (facts) =>
    descriptorsWhere(
      facts,
      ({ fd, target }) => fd <= 2 && target.startsWith('/dev/pts/'),
      (where) => `${where} is a terminal of the container runtime; set tty: false`,
    ),

  unsavable: ({ unsavable }) => unsavable,

  multipathTcp: ({ multipathListeners }) =>
    multipathListeners.map(
      (address) =>
        `a socket listens on ${address} with MPTCP, which cannot be saved; for a Go program set GODEBUG=multipathtcp=0`,
    ),

  tracers: (facts) =>
    facts.processes
      .filter((process) => process.tracerPid !== 0)
      .map((process) => `${nameOf(process)} is traced by process ${process.tracerPid}`),

  sharedNamespaces: ({ sharedWithNode }) =>
    sharedWithNode.map((field) => `the pod uses ${field}, which cannot be captured`),

  volumes: ({ volumes, missingVolumes }) => [
    ...missingVolumes,
    ...volumes
      .filter(({ fileSystem }) => fileSystem === 'hugetlbfs')
      .map(
        ({ name, path }) => `emptyDir ${name} at ${path} is of huge pages, which cannot be saved`,
      ),
  ],

  mountPoints: ({ mountPoints }) =>
    mountPoints
      .filter((path) => /[\]\n]/.test(path))
      .map(
        (path) => `the mount point ${JSON.stringify(path)} has a character CRIU cannot be given`,
      ),

  writableLayer: ({ layerProblem }) => (layerProblem === undefined ? [] : [layerProblem]),

  room: (facts) => {
    const bytes = estimatedBytes(facts);
    return facts.room
      .filter((room) => room.freeBytes < bytes * room.copies)
      .map(
        (room) =>
          `${room.what} ${room.directory} has ${formatBytes(room.freeBytes)} free, the capture may need ${formatBytes(bytes * room.copies)}`,
      );
  },
};

const shownOfEachCheck = 3;

/** Everything that stands in the way, all of it at once; a check that finds much says how much more. Pure. */
export function findBlockers(facts: SourceFacts): readonly Blocker[] {
  return Object.entries(checks).flatMap(([check, look]) => {
    const messages = look(facts);
    const more = messages.length - shownOfEachCheck;
    return messages.slice(0, shownOfEachCheck).map((message, index) => ({
      check,
      message:
        more > 0 && index === shownOfEachCheck - 1 ? `${message} (and ${more} more)` : message,
    }));
  });
}
