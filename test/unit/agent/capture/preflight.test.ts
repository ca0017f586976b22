import { expect, test } from 'vitest';
import type { ProcessFacts, SourceFacts } from '../../../../agent/capture/facts.ts';
import { findBlockers } from '../../../../agent/capture/preflight.ts';

const shell: ProcessFacts = {
  pid: 7,
  command: 'sh',
  tracerPid: 0,
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
};

const clean: SourceFacts = {
  probe: { usable: true, why: '', version: '4.1.1' },
  processes: [shell],
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
  memoryBytes: 100,
  layerBytes: 20,
  volumeBytes: 3,
  room: [{ what: 'staging', directory: '/s', freeBytes: 246, copies: 2 }],
};

const holding = (target: string, fd = 9): SourceFacts => ({
  ...clean,
  processes: [{ ...shell, descriptors: [{ fd, target }] }],
});

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
  [
    'devices',
    /maps the device \/dev\/kfd/,
    { ...clean, processes: [{ ...shell, mappedDevices: ['/dev/kfd'] }] },
  ],
  ['terminal', /tty: false/, holding('/dev/pts/0', 1)],
  [
    'multipathTcp',
    /0\.0\.0\.0:80 .*GODEBUG=multipathtcp=0/,
    { ...clean, multipathListeners: ['0.0.0.0:80'] },
  ],
  ['tracers', /traced by process 99/, { ...clean, processes: [{ ...shell, tracerPid: 99 }] }],
  ['sharedNamespaces', /hostNetwork/, { ...clean, sharedWithNode: ['hostNetwork'] }],
  [
    'volumes',
    /emptyDir cache at \/cache is of huge pages/,
    { ...clean, volumes: [{ path: '/cache', fileSystem: 'hugetlbfs', name: 'cache' }] },
  ],
  ['volumes', /not mounted/, { ...clean, missingVolumes: ['emptyDir data is not mounted'] }],
  ['mountPoints', /a\]b/, { ...clean, mountPoints: ['/a]b'] }],
  ['unsavable', /a semaphore/, { ...clean, unsavable: ['a semaphore'] }],
  ['writableLayer', /not an overlay/, { ...clean, layerProblem: 'not an overlay' }],
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
