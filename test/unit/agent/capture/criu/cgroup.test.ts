import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  enterCgroup,
  makeCgroup,
  removeCgroup,
  sweepCgroups,
} from '../../../../../agent/capture/criu/cgroup.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'cgroup-'));
});
afterEach(() => rmSync(root, { recursive: true }));

function make(path: string, text = ''): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  writeFileSync(join(root, path), text);
}

/** Made after Linux 6.18: one directory a hierarchy, links for controllers that share one, v2 beside them. */
function makeV1(): void {
  for (const name of ['memory', 'freezer', 'cpu,cpuacct', 'systemd', 'unified', 'cpuset']) {
    make(`${name}/cgroup.procs`);
  }
  make('cpuset/cpuset.cpus', '0-1\n');
  make('cpuset/cpuset.mems', '0\n');
  symlinkSync('cpu,cpuacct', join(root, 'cpu'));
  mkdirSync(join(root, 'not-a-hierarchy'));
}

describe('cgroup v1', () => {
  beforeEach(makeV1);

  test('CRIU gets a cgroup in every hierarchy once, links not counted', async () => {
    const { directories } = await makeCgroup(root, 'one');
    const names = directories.map((directory) => directory.slice(root.length + 1).split('/')[0]);
    expect(names.toSorted()).toEqual(
      ['cpu,cpuacct', 'cpuset', 'freezer', 'memory', 'systemd', 'unified'].toSorted(),
    );
    expect(directories.every((directory) => directory.endsWith('/cryopod/criu-one'))).toBe(true);
  });

  test('a new cpuset, which is empty in v1 and takes no process, is given what is above it', async () => {
    // The kernel makes these files with the directory.
    make('cpuset/cryopod/cpuset.cpus', '\n');
    make('cpuset/cryopod/criu-one/cpuset.cpus', '\n');
    make('cpuset/cryopod/criu-one/cpuset.mems', '1\n');
    await makeCgroup(root, 'one');
    const read = (path: string): string => readFileSync(join(root, path), 'utf8').trim();
    expect(read('cpuset/cryopod/cpuset.cpus')).toBe('0-1');
    expect(read('cpuset/cryopod/criu-one/cpuset.cpus')).toBe('0-1');
    expect(read('cpuset/cryopod/criu-one/cpuset.mems')).toBe('1');
  });
});

describe('cgroup v2', () => {
  beforeEach(() => make('cgroup.procs'));

  test('CRIU gets one cgroup, and the process is moved into it', async () => {
    const cgroup = await makeCgroup(root, 'one');
    const directory = join(root, 'cryopod/criu-one');
    expect(cgroup.directories).toEqual([directory]);
    await enterCgroup(cgroup, 123);
    expect(readFileSync(join(directory, 'cgroup.procs'), 'utf8')).toBe('123');
  });

  test('an empty cpuset means "as above" and stays empty', async () => {
    make('cpuset.cpus.effective', '0-1\n');
    make('cryopod/criu-one/cpuset.cpus', '\n');
    await makeCgroup(root, 'one');
    expect(readFileSync(join(root, 'cryopod/criu-one/cpuset.cpus'), 'utf8').trim()).toBe('');
  });

  test('what earlier agents left is swept, what is in use or not theirs stays', async () => {
    await makeCgroup(root, 'old');
    make('cryopod/criu-busy/cgroup.procs', '7\n');
    mkdirSync(join(root, 'cryopod/other'));
    await sweepCgroups(root);
    expect(existsSync(join(root, 'cryopod/criu-old'))).toBe(false);
    // As the kernel refuses to remove a cgroup with a process in it, a file system refuses a directory with a file.
    expect(existsSync(join(root, 'cryopod/criu-busy'))).toBe(true);
    expect(existsSync(join(root, 'cryopod/other'))).toBe(true);
  });

  test('one that is gone already is removed without a word', async () => {
    const cgroup = await makeCgroup(root, 'one');
    await removeCgroup(cgroup);
    await removeCgroup(cgroup);
    expect(existsSync(join(root, 'cryopod/criu-one'))).toBe(false);
  });
});

test('a directory without a hierarchy is an error that can pass', async () => {
  await expect(makeCgroup(root, 'one')).rejects.toMatchObject({
    kind: 'retry',
    reason: 'CgroupFailed',
    message: expect.stringContaining('holds no cgroup hierarchy'),
  });
});
