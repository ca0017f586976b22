import { expect, test } from 'vitest';
import type { PodVolume } from '../../../../../agent/capture/backend.ts';
import { type Plan, planPod } from '../../../../../agent/capture/criu/mount-plan.ts';
import { parseMountinfo } from '../../../../../agent/proc/mountinfo.ts';

/** The kubelet's directory is a file system of its own, so its paths in mount tables lack what is above it. */
const inFileSystem = '/kubelet/pods/uid-1/volumes';
const onNode = '/var/lib/kubelet/pods/uid-1/volumes';
const nodeMounts = parseMountinfo(
  [
    `9 0 0:186 / ${onNode}/kubernetes.io~empty-dir/fast rw - tmpfs tmpfs rw`,
    `9 0 0:188 / ${onNode}/kubernetes.io~projected/token rw - tmpfs tmpfs rw`,
  ].join('\n'),
);
const system = [
  '1 0 0:1 / / rw - overlay overlay rw,upperdir=/u',
  '2 1 0:2 / /proc rw - proc proc rw',
  '3 1 0:3 / /dev rw - tmpfs tmpfs rw',
  '4 3 0:4 / /dev/shm rw - tmpfs shm rw',
  '5 2 0:2 /sys /proc/sys ro - proc proc rw',
  '6 1 8:1 /kubelet/pods/uid-1/etc-hosts /etc/hosts rw - ext4 /dev/sda rw',
];

function plan(
  tables: Readonly<Record<string, readonly string[]>>,
  volumes: readonly PodVolume[] = [],
): Plan {
  const containers = Object.entries(tables).map(([name, lines], index) => ({
    container: { name, containerID: '', root: { pid: 100 + index, startTicks: 1 } },
    mounts: parseMountinfo([...system, ...lines].join('\n')),
  }));
  return planPod(containers, nodeMounts, { podUID: 'uid-1', volumes });
}

const planned = ({ volumes }: Plan) =>
  volumes.map(({ name, from, container, mount }) => [
    ...[name, from, container.name, mount.mountPoint, mount.device],
  ]);
const mountAt = ({ mounts }: Plan, path: string, container = 0) =>
  mounts[container]?.find((mount) => mount.path === path);

test("the root is the layer, /proc is CRIU's, /dev/shm is saved by us, the rest is external", () => {
  expect(plan({ main: [] }).mounts).toEqual([
    [
      { path: '/', treatment: 'rootfs' },
      { path: '/proc', treatment: 'criu' },
      { path: '/dev', treatment: 'external' },
      { path: '/dev/shm', treatment: 'volume', volume: 'dev-shm' },
      { path: '/proc/sys', treatment: 'external' },
      { path: '/etc/hosts', treatment: 'external' },
    ],
  ]);
});

test('a /dev/shm that is no tmpfs, or is a volume that is not captured, is like any other mount', () => {
  const disk = plan({ main: ['7 3 8:1 /x /dev/shm rw - ext4 /dev/sda rw'] });
  expect(mountAt(disk, '/dev/shm')).toEqual({ path: '/dev/shm', treatment: 'external' });
  const mounts = [{ container: 'main', path: '/dev/shm' }];
  const host = plan({ main: [] }, [{ name: 'host', kind: 'hostPath', mounts }]);
  expect(mountAt(host, '/dev/shm')).toMatchObject({ treatment: 'external', kind: 'hostPath' });
  expect(host.volumes).toEqual([]);
});

test('an emptyDir of two containers is captured once, and each says which part of it is mounted where', () => {
  const both = plan({
    writer: [`7 1 8:1 ${inFileSystem}/kubernetes.io~empty-dir/data /data rw - ext4 /dev/sda rw`],
    reader: [
      `7 1 8:1 ${inFileSystem}/kubernetes.io~empty-dir/data/sub/dir /in rw - ext4 /dev/sda rw`,
      '8 1 0:186 /part /fast rw - tmpfs tmpfs rw',
    ],
  });
  expect(planned(both)).toEqual([
    ['dev-shm', 'sharedMemory', 'writer', '/dev/shm', '0:4'],
    ['data', 'emptyDir', 'writer', '/data', '8:1'],
    ['fast', 'emptyDir', 'reader', '/fast', '0:186'],
  ]);
  const captured = { treatment: 'volume', kind: 'emptyDir' };
  expect(mountAt(both, '/data')).toEqual({ path: '/data', volume: 'data', ...captured });
  expect(mountAt(both, '/in', 1)).toEqual({
    ...{ path: '/in', volume: 'data', subPath: 'sub/dir' },
    ...captured,
  });
  expect(mountAt(both, '/fast', 1)).toMatchObject({ volume: 'fast', subPath: 'part' });
});

test('a memory-backed emptyDir at /dev/shm is the volume, not the shared memory of the sandbox', () => {
  const one = plan({ main: ['7 3 0:186 / /dev/shm rw - tmpfs tmpfs rw'] });
  expect(planned(one)).toEqual([['fast', 'emptyDir', 'main', '/dev/shm', '0:186']]);
});

test('shared memory never takes the name of a volume, and two file systems are two', () => {
  const mounts = [{ container: 'main', path: '/x' }];
  const both = plan({ main: [], side: ['7 3 0:9 / /dev/shm rw - tmpfs shm rw'] }, [
    { name: 'dev-shm', kind: 'configMap', mounts },
  ]);
  expect(both.volumes.map(({ name }) => name)).toEqual(['dev-shm-2', 'dev-shm-3']);
});

test('the control volume, tokens and claims are named and never captured', () => {
  const at = (path: string) => [{ container: 'main', path }];
  const one = plan(
    {
      main: [
        `7 1 8:1 ${inFileSystem}/kubernetes.io~empty-dir/snapshot-control/main /control rw - ext4 /dev/sda rw`,
        '8 1 0:188 / /run/secrets/token ro - tmpfs tmpfs rw',
        '9 1 8:9 / /db rw - ext4 /dev/sdb rw',
      ],
    },
    [
      { name: 'snapshot-control', kind: 'emptyDir', mounts: at('/control') },
      // The image has a link at /var/run.
      { name: 'token', kind: 'projected', mounts: at('/var/run/secrets/token') },
      { name: 'disk', kind: 'persistentVolumeClaim', claim: 'db-0', mounts: at('/db') },
    ],
  );
  expect(planned(one).map(([name]) => name)).toEqual(['dev-shm']);
  expect(one.missing).toEqual([]);
  expect(one.mounts[0]?.slice(-3)).toEqual([
    {
      ...{ path: '/control', treatment: 'external', volume: 'snapshot-control' },
      ...{ kind: 'emptyDir', subPath: 'main' },
    },
    { path: '/run/secrets/token', treatment: 'external', volume: 'token', kind: 'projected' },
    {
      ...{ path: '/db', treatment: 'external', volume: 'disk' },
      ...{ kind: 'persistentVolumeClaim', claim: 'db-0' },
    },
  ]);
});

test('of another pod, or only by the word of the spec, nothing is an emptyDir; what should be one is missed', () => {
  const one = plan(
    {
      main: [
        '7 1 8:1 /kubelet/pods/uid-2/volumes/kubernetes.io~empty-dir/data /data rw - ext4 /dev/sda rw',
      ],
    },
    [{ name: 'data', kind: 'emptyDir', mounts: [{ container: 'main', path: '/data' }] }],
  );
  expect(mountAt(one, '/data')).toEqual({ path: '/data', treatment: 'external' });
  expect(one.missing).toEqual([
    'emptyDir data is not mounted in container main, whose spec has it at /data',
  ]);
});
