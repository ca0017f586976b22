import { describe, expect, test } from 'vitest';
import { parseCgroupLayout } from '../../bed/cgroups.ts';

const v1 = (folder: string, options: string): string =>
  `30 20 0:28 / /sys/fs/cgroup/${folder} rw,relatime shared:9 - cgroup cgroup rw,${options}`;
const v2 = (path: string): string =>
  `31 20 0:29 / ${path} rw,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate`;

describe('the layout of control groups', () => {
  test('is v1 when its controllers are mounted, even beside an empty v2', () => {
    const text = [
      v1('memory', 'memory'),
      v1('cpu,cpuacct', 'cpu,cpuacct'),
      v2('/sys/fs/cgroup/unified'),
    ];
    expect(parseCgroupLayout(text.join('\n'))).toEqual({
      version: 1,
      hierarchies: [
        { mountPoint: '/sys/fs/cgroup/memory', options: 'memory' },
        { mountPoint: '/sys/fs/cgroup/cpu,cpuacct', options: 'cpu,cpuacct' },
      ],
    });
  });

  test('mounts a named hierarchy by its name and drops what belongs to the mount', () => {
    const text = `${v1('memory', 'memory')}\n${v1('systemd', 'xattr,release_agent=/x,name=systemd')}`;
    expect(parseCgroupLayout(text).hierarchies[1]?.options).toBe('none,name=systemd');
  });

  test('is v2 when nothing else is there', () => {
    expect(parseCgroupLayout(v2('/sys/fs/cgroup'))).toEqual({
      version: 2,
      hierarchies: [{ mountPoint: '/sys/fs/cgroup', options: '' }],
    });
  });

  test('is an error when there is none', () => {
    expect(() => parseCgroupLayout('22 1 8:1 / / rw - ext4 /dev/sda rw')).toThrow('control groups');
  });
});
