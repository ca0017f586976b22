import { expect, test } from 'vitest';
import { findVolumes } from '../../../../../agent/capture/criu/volumes.ts';
import { parseMountinfo } from '../../../../../agent/proc/mountinfo.ts';

const pod = '/data/kubelet/pods/uid-1/volumes';

test('directories are known by their path on the node, file systems by their device', () => {
  const container = parseMountinfo(
    [
      `1 0 8:1 ${pod}/kubernetes.io~empty-dir/snapshot-control/main /control rw - ext4 /dev/sda rw`,
      '2 0 0:186 / /dev/shm rw - tmpfs tmpfs rw',
      '3 0 0:188 / /var/run/secrets/token ro - tmpfs tmpfs rw',
      '4 0 8:1 /data/kubelet/pods/uid-1/etc-hosts /etc/hosts rw - ext4 /dev/sda rw',
      '5 0 0:72 / /dev rw - tmpfs tmpfs rw',
      '6 0 8:1 /data/kubelet/pods/uid-2/volumes/kubernetes.io~empty-dir/other /other rw - ext4 /dev/sda rw',
    ].join('\n'),
  );
  const node = parseMountinfo(
    [
      `9 0 0:186 / ${pod.replace('/data', '/var/lib')}/kubernetes.io~empty-dir/shm rw - tmpfs tmpfs rw`,
      `9 0 0:188 / ${pod.replace('/data', '/var/lib')}/kubernetes.io~projected/token rw - tmpfs tmpfs rw`,
    ].join('\n'),
  );
  expect(findVolumes(container, node, 'uid-1')).toEqual([
    {
      path: '/control',
      fileSystem: 'ext4',
      plugin: 'kubernetes.io~empty-dir',
      name: 'snapshot-control',
    },
    { path: '/dev/shm', fileSystem: 'tmpfs', plugin: 'kubernetes.io~empty-dir', name: 'shm' },
    {
      path: '/var/run/secrets/token',
      fileSystem: 'tmpfs',
      plugin: 'kubernetes.io~projected',
      name: 'token',
    },
  ]);
});
