import { expect, test } from 'vitest';
import {
  type DumpArguments,
  dumpArguments,
  dumpOptions,
} from '../../../../../agent/capture/criu/arguments.ts';
import { planPod } from '../../../../../agent/capture/criu/mount-plan.ts';
import { parseMountinfo } from '../../../../../agent/proc/mountinfo.ts';

const [mounts = []] = planPod(
  [
    {
      container: { name: 'main', containerID: '', root: { pid: 42, startTicks: 1 } },
      mounts: parseMountinfo(
        [
          '1 0 0:1 / / rw - overlay overlay rw,upperdir=/u',
          '2 1 0:2 / /proc rw - proc proc rw',
          '3 1 0:3 / /dev rw - tmpfs tmpfs rw',
          '4 3 0:4 / /dev/shm rw - tmpfs shm rw',
          '5 2 0:2 /sys /proc/sys ro - proc proc rw',
          '6 1 8:1 /x /data\\040dir rw - ext4 /dev/sda rw',
        ].join('\n'),
      ),
    },
  ],
  [],
  { podUID: 'uid', volumes: [] },
).mounts;

const request: DumpArguments = {
  pid: 42,
  root: '/proc/42/root',
  imagesDirectory: '/staging/criu',
  actionScript: '/staging/hold',
  networkNamespaceInode: '4026532',
  mounts,
  watchedPaths: [],
  memoryPath: 'files',
  afterCapture: 'Resume',
  tcp: 'Close',
};

test('the command line of a dump', () => {
  const argv = dumpArguments(request);
  expect(argv.join(' ')).toBe(
    'dump --no-default-config --tree 42 --images-dir /staging/criu --log-file dump.log -v4 --root /proc/42/root ' +
      '--action-script /staging/hold --leave-running --external mnt[/dev]:/dev --external mnt[/dev/shm]:/dev/shm ' +
      '--external mnt[/proc/sys]:/proc/sys --external mnt[/data dir]:/data dir --external net[4026532]:extNetNs ' +
      '--network-lock skip --tcp-close --manage-cgroups=ignore --skip-in-flight --file-locks --ext-unix-sk --link-remap --force-irmap ' +
      '--evasive-devices --ghost-limit 64M --cpu-cap=ins',
  );
});

test('a dump through the page server differs by the descriptor it is given, and by nothing an artifact notes', () => {
  const files = dumpArguments(request);
  const pages = dumpArguments({ ...request, memoryPath: 'page-server' });
  expect(pages.filter((argument) => !files.includes(argument))).toEqual([
    '--page-server',
    '--ps-socket',
    '3',
  ]);
  expect(dumpOptions(mounts, '4026532', request).join(' ')).not.toContain('page-server');
});

test('a source that is to be ended is not left running', () => {
  const argv = dumpArguments({ ...request, afterCapture: 'Terminate' });
  expect(dumpArguments(request).filter((argument) => !argv.includes(argument))).toEqual([
    '--leave-running',
  ]);
});

test.each(['Established', 'Refuse'] as const)(
  'tcp: %s saves connections and locks them meanwhile',
  (tcp) => {
    const argv = dumpArguments({ ...request, tcp }).join(' ');
    expect(argv).toContain('--network-lock nftables --tcp-established');
    expect(argv).not.toContain('--tcp-close');
  },
);
test('CRIU is told where watched files are, which an overlay would not tell it', () => {
  const argv = dumpArguments({ ...request, watchedPaths: ['/data', '/a b'] });
  expect(argv.join(' ')).toContain(' --irmap-scan-path /data --irmap-scan-path /a b ');
});
