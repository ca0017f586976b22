import { expect, test } from 'vitest';
import type { Descriptor, ProcessFacts, SourceFacts } from '../../../../agent/capture/facts.ts';
import { foresee } from '../../../../agent/capture/outlook.ts';
import { findBlockers } from '../../../../agent/capture/preflight.ts';

const shell: ProcessFacts = {
  pid: 7,
  command: 'sh',
  tracer: undefined,
  descriptors: [
    { fd: 0, target: '/dev/null' },
    { fd: 1, target: 'pipe:[1]' },
    { fd: 2, target: '/dev/pts/0 (deleted)' },
    { fd: 3, target: 'anon_inode:[eventpoll]' },
    { fd: 4, target: 'anon_inode:inotify' },
    { fd: 5, target: 'socket:[2]' },
    { fd: 6, target: '/dev/shm/x' },
    { fd: 7, target: '/dev/urandom' },
  ].filter(({ fd }) => fd !== 2),
  mappedDevices: ['/dev/zero (deleted)', '/dev/shm/x'],
  mappedObjects: [],
  nestedNamespaces: [],
};

const clean: SourceFacts = {
  probe: { usable: true, why: '', version: '4.1.1' },
  processes: [shell],
  processesBeside: [],
  sharedWithNode: [],
  mountPoints: ['/', '/proc', '/dev/shm'],
  volumes: [
    { path: '/dev/shm', fileSystem: 'tmpfs', name: 'dev-shm' },
    { path: '/data', fileSystem: 'ext4', name: 'data' },
  ],
  missingVolumes: [],
  layerProblem: undefined,
  unsavable: [],
  multipathListeners: [],
  multipathConnections: [],
  unixPeersOutside: [],
  tcpConnections: [],
  ownMounts: [],
  ownUserNamespace: false,
  frozenBy: undefined,
  tracingProblem: undefined,
  memoryBytes: 100,
  layerBytes: 20,
  layerDevices: [],
  volumeBytes: 3,
  volumeDevices: [],
  room: [{ what: 'staging', directory: '/s', freeBytes: 246, copies: 2 }],
};

const withProcess = (changed: Partial<ProcessFacts>): SourceFacts => ({
  ...clean,
  processes: [{ ...shell, ...changed }],
});

const holding = (target: string, more: Partial<Descriptor> = {}): SourceFacts =>
  withProcess({ descriptors: [{ fd: 9, target, ...more }] });

const block = { kind: 'block', number: '254:0' } as const;
const fuse = { kind: 'character', number: '10:229' } as const;
const connection = { pid: 7, command: 'sh', fd: 3, what: 'unix socket /run/d.sock' };
const tcp = { ...connection, local: '10.0.0.1:80', remote: '10.0.0.2:4711' };

test('nothing stands in the way of an ordinary container', () => {
  expect(findBlockers(clean)).toEqual([]);
});

test.each<[string, RegExp, SourceFacts]>([
  [
    'criu',
    /no such file/,
    { ...clean, probe: { usable: false, why: 'no such file', version: '' } },
  ],
  ['ioUring', /process 7 \(sh\), descriptor 9/, holding('anon_inode:[io_uring]')],
  ['kernelObjects', /\[perf_event\]/, holding('anon_inode:[perf_event]')],
  ['devices', /\/dev\/nvidia0/, holding('/dev/nvidia0')],
  ['ioUring', /memory of process 7/, withProcess({ mappedObjects: ['anon_inode:[io_uring]'] })],
  [
    'kernelObjects',
    /maps anon_inode:kvm-vcpu/,
    withProcess({ mappedObjects: ['anon_inode:kvm-vcpu'] }),
  ],
  ['kernelObjects', /memfd_secret/, withProcess({ mappedObjects: ['/secretmem (deleted)'] })],
  ['devices', /block device \/data\/disk \(254:0\)/, holding('/data/disk', { device: block })],
  ['devices', /the device \/x\/fuse/, holding('/x/fuse', { device: fuse })],
  ['devices', /maps the device \/dev\/kfd/, withProcess({ mappedDevices: ['/dev/kfd'] })],
  ['terminal', /tty: false/, holding('/dev/pts/0 (deleted)')],
  ['unlinkedFiles', /65.0 MiB.*64.0 MiB/, holding('/x (deleted)', { unlinkedBytes: 65 * 2 ** 20 })],
  [
    'unixSockets',
    /process 7 \(sh\), descriptor 3: unix socket \/run\/d.sock .* outside/,
    { ...clean, unixPeersOutside: [connection] },
  ],
  [
    'multipathTcp',
    /0\.0\.0\.0:80 .*GODEBUG=multipathtcp=0/,
    { ...clean, multipathListeners: ['0.0.0.0:80'] },
  ],
  [
    'multipathTcp',
    /descriptor 3.*MPTCP.*GODEBUG/,
    { ...clean, multipathConnections: [{ ...connection, what: 'TCP 1.2.3.4:5 to 6.7.8.9:1' }] },
  ],
  [
    'tracers',
    /process 7 \(sh\) is traced by process 99 \(gdb\)/,
    withProcess({ tracer: { pid: 99, command: 'gdb' } }),
  ],
  ['userNamespace', /hostUsers: false/, { ...clean, ownUserNamespace: true }],
  ['tracing', /ptrace_scope is 3/, { ...clean, tracingProblem: 'ptrace_scope is 3' }],
  ['freezer', /\/kubepods\/a is frozen/, { ...clean, frozenBy: '/kubepods/a' }],
  [
    'nestedNamespaces',
    /a pid and user namespace/,
    withProcess({ nestedNamespaces: ['pid', 'user'] }),
  ],
  [
    'ownMounts',
    /tmpfs is mounted at \/mnt/,
    { ...clean, ownMounts: [{ path: '/mnt', fileSystem: 'tmpfs' }] },
  ],
  ['sharedNamespaces', /hostNetwork/, { ...clean, sharedWithNode: ['hostNetwork'] }],
  [
    'volumes',
    /emptyDir cache at \/cache is of huge pages/,
    { ...clean, volumes: [{ path: '/cache', fileSystem: 'hugetlbfs', name: 'cache' }] },
  ],
  ['volumes', /\/data\/x in a volume is a device/, { ...clean, volumeDevices: ['/data/x'] }],
  ['volumes', /not mounted/, { ...clean, missingVolumes: ['emptyDir data is not mounted'] }],
  ['mountPoints', /a\]b/, { ...clean, mountPoints: ['/a]b'] }],
  ['unsavable', /a semaphore/, { ...clean, unsavable: ['a semaphore'] }],
  ['writableLayer', /not an overlay/, { ...clean, layerProblem: 'not an overlay' }],
  ['writableLayer', /\/dev\/sda in the writable layer/, { ...clean, layerDevices: ['/dev/sda'] }],
  [
    'room',
    /245 B free.*246 B/,
    { ...clean, room: [{ what: 'staging', directory: '/s', freeBytes: 245, copies: 2 }] },
  ],
])('%s is found and explained', (check, message, facts) => {
  const blockers = findBlockers(facts);
  expect(blockers.map((blocker) => blocker.check)).toEqual([check]);
  expect(blockers[0]?.message).toMatch(message);
});

test.each<[string, SourceFacts]>([
  [
    'a terminal that the source holds both sides of',
    withProcess({
      descriptors: [
        { fd: 3, target: '/dev/pts/ptmx', masterOf: '/dev/pts/4' },
        { fd: 4, target: '/dev/pts/4' },
      ],
    }),
  ],
  [
    'null under another name',
    holding('/chroot/null', { device: { kind: 'character', number: '1:3' } }),
  ],
  ['a deleted file of 64 MiB', holding('/x (deleted)', { unlinkedBytes: 64 * 2 ** 20 })],
  ['a large memfd', holding('/memfd:x (deleted)', { unlinkedBytes: 2 ** 40 })],
])('%s is no blocker', (_, facts) => {
  expect(findBlockers(facts)).toEqual([]);
});

test('what a workload named does not reach the reader as it is', () => {
  const hostile = { ...shell, command: 'a\n\u001b[2J', nestedNamespaces: ['pid'] };
  const longTarget = `/dev/${'x'.repeat(4000)}`;
  const [first, second] = findBlockers({
    ...clean,
    processes: [{ ...hostile, descriptors: [{ fd: 9, target: longTarget }] }],
  });
  expect(first?.message).toContain('(a??[2J)');
  expect(second?.message.length).toBeLessThan(400);
});

test('several are told together, and many of one kind are summed up', () => {
  const descriptors = [1, 2, 3, 4, 5].map((fd) => ({ fd, target: 'anon_inode:[io_uring]' }));
  const blockers = findBlockers({
    ...clean,
    processes: [{ ...shell, descriptors }],
    sharedWithNode: ['hostIPC'],
  });
  expect(blockers.map(({ check }) => check)).toEqual([
    'ioUring',
    'ioUring',
    'ioUring',
    'sharedNamespaces',
  ]);
  expect(blockers[2]?.message).toMatch(/and 2 more/);
});

test('an outlook says what would be taken, and what would be lost', () => {
  const outlook = foresee({
    ...clean,
    tcpConnections: [{ ...tcp, what: 'TCP 10.0.0.1:80 to 10.0.0.2:4711' }],
    processesBeside: [{ pid: 30, command: 'bash' }],
  });
  expect(outlook.captured).toEqual([
    { what: 'memory of 1 process', bytes: 100 },
    { what: 'writable layer', bytes: 20 },
    { what: 'volumes dev-shm at /dev/shm, data at /data', bytes: 3 },
  ]);
  expect(outlook.lost).toEqual([
    'process 7 (sh), descriptor 3: TCP 10.0.0.1:80 to 10.0.0.2:4711',
    expect.stringContaining('process 30 (bash) was started from outside'),
  ]);
});

test('what is lost a hundred times is not told a hundred times', () => {
  const many = Array.from({ length: 100 }, () => tcp);
  const { lost } = foresee({ ...clean, tcpConnections: many });
  expect(lost).toHaveLength(11);
  expect(lost.at(-1)).toBe('and 90 more of the kind');
});
