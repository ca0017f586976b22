import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { packFiles } from '../../../../../agent/capture/criu/files.ts';
import type { PlannedVolume } from '../../../../../agent/capture/criu/mount-plan.ts';
import { type Mount, parseMountinfo } from '../../../../../agent/proc/mountinfo.ts';
import { readProc } from '../../../../../agent/proc/process-table.ts';

const signal = new AbortController().signal;
const volumesOfPod = 'kubelet/pods/uid-1/volumes/kubernetes.io~empty-dir';

let directory = '';
let own: Mount;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'pack-files-'));
  for (const name of ['staging/containers/main', 'staging/volumes', 'upper', 'proc/1']) {
    await mkdir(join(directory, name), { recursive: true });
  }
  // The node's mount table is this machine's: the directory packed lies on a file system that it names.
  const { dev } = await stat(directory);
  const text = (await readProc('/proc/self/mountinfo')) ?? '';
  await writeFile(join(directory, 'proc/1/mountinfo'), text);
  const table = parseMountinfo(text);
  const device = `${(dev >> 8) & 0xfff}:${(dev & 0xff) | ((dev >> 12) & 0xfff00)}`;
  const found = table.find((mount) => mount.device === device);
  if (found === undefined) throw new Error(`no mount has the device ${device}`);
  own = found;
});
afterEach(() => rm(directory, { recursive: true, force: true }));

const pack = (mount: Mount, upperDirectory: string | undefined): Promise<void> => {
  const container = { name: 'main', containerID: '', root: { pid: 1, startTicks: 1 } };
  const volume: PlannedVolume = { name: 'data', from: 'emptyDir', container, mount };
  const source = { mounts: [], upperDirectory, networkNamespaceInode: '', stdio: [] };
  return packFiles(
    {
      ...{ procRoot: join(directory, 'proc'), hostRoot: directory, kubeletDirectory: '/kubelet' },
      ...{ podUID: 'uid-1', stagingDirectory: join(directory, 'staging') },
    },
    [{ name: 'main', source }],
    [volume],
    signal,
  );
};
const listOf = (tar: string): readonly string[] =>
  execFileSync('tar', ['-tf', join(directory, 'staging', tar)], { encoding: 'utf8' })
    .trim()
    .split('\n')
    .sort();

test('an emptyDir is packed as a whole from the directory of the kubelet, beside the writable layer', async () => {
  await mkdir(join(directory, volumesOfPod, 'data/sub'), { recursive: true });
  await writeFile(join(directory, volumesOfPod, 'data/sub/file'), 'x');
  await writeFile(join(directory, 'upper/written'), 'y');
  await pack({ ...own, root: '/somewhere/data/sub' }, '/upper');
  expect(listOf('volumes/data.tar')).toEqual(['./', './sub/', './sub/file']);
  expect(listOf('containers/main/rootfs.tar')).toEqual(['./', './written']);
});

test('a container without a writable layer gives an empty one', async () => {
  await mkdir(join(directory, volumesOfPod, 'data'), { recursive: true });
  await pack(own, undefined);
  expect(listOf('containers/main/rootfs.tar')).toEqual(['']);
});

test('a file system that is not the one the container has mounted is refused', async () => {
  await mkdir(join(directory, volumesOfPod, 'data'), { recursive: true });
  await expect(pack({ ...own, device: '0:0' }, '/upper')).rejects.toMatchObject({
    ...{ kind: 'terminal', reason: 'CheckpointFailed' },
    message: expect.stringMatching(/volume data is on device [1-9]\d*:\d+, its mount says 0:0/),
  });
});

test('a link in the place of the volume is not followed', async () => {
  await mkdir(join(directory, volumesOfPod), { recursive: true });
  await symlink('/etc', join(directory, volumesOfPod, 'data'));
  await expect(pack(own, '/upper')).rejects.toMatchObject({
    kind: 'terminal',
    reason: 'UnsafePath',
  });
});
