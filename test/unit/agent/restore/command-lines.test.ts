import { expect, it } from 'vitest';
import { restoreArguments } from '../../../../agent/restore/criu/arguments.ts';
import { cgroupFiles } from '../../../../agent/restore/criu/cgroup-files.ts';
import { bundled, enterArguments } from '../../../../agent/restore/criu/enter.ts';
import { layerArguments, volumeArguments } from '../../../../agent/restore/criu/files.ts';

it('entering names the process by number and start, and everything it needs before the program', () => {
  const argv = enterArguments({
    enterPath: '/tools/enter',
    process: { pid: 42, startTicks: 4200 },
    cgroupFiles: ['/cg/memory/x/cgroup.procs'],
    stage: '/snapshot-control',
    trees: { bundle: '/tools/bundle' },
    opens: { 20: { mode: 'n', file: 'net' }, 0: { mode: 'r', file: '/layer.tar' } },
    keeps: { pid: '/attempt/pid' },
    made: ['/run'],
    writableProcSys: true,
    program: bundled('/snapshot-control', 'tar'),
  });
  expect(argv.join(' ')).toBe(
    '/tools/enter --process 42:4200 --cgroup /cg/memory/x/cgroup.procs --stage /snapshot-control --tree bundle=/tools/bundle ' +
      '--open 0=r:/layer.tar --open 20=n:net --keep pid=/attempt/pid --make /run --proc-sys -- ' +
      '/snapshot-control/bundle/ld.so --library-path /snapshot-control/bundle/lib /snapshot-control/bundle/tar',
  );
});

it('a restore names each external mount and each inherited descriptor', () => {
  const argv = restoreArguments({
    imagesDirectory: '/s/images',
    workDirectory: '/s',
    externalMounts: ['/dev', '/etc/hosts'],
    inherited: [
      { descriptor: 20, name: 'extNetNs' },
      { descriptor: 23, name: 'pipe:[7]' },
    ],
    utsDescriptor: 21,
    connections: 'Close',
    actionScript: '/s/bundle/keep-hostname',
  }).join(' ');
  expect(argv).toContain('--external mnt[/dev]:/dev --external mnt[/etc/hosts]:/etc/hosts');
  expect(argv).toContain('--inherit-fd fd[20]:extNetNs --inherit-fd fd[23]:pipe:[7]');
  expect(argv).toContain('--join-ns uts:/proc/self/fd/21');
  expect(argv).toContain('--action-script /s/bundle/keep-hostname');
  expect(argv).toContain('--restore-sibling');
  expect(argv).toContain('--tcp-close');
});

it('a restore never looks for plugins of CRIU in a directory of the container', () => {
  const request = { imagesDirectory: '/s/images', workDirectory: '/s', externalMounts: [] };
  const argv = restoreArguments({
    ...request,
    ...{ inherited: [], utsDescriptor: 21, connections: 'Keep', actionScript: '/s/hook' },
  });
  expect(argv.join(' ')).toContain('--libdir /s/images');
  expect(argv).toContain('--tcp-established');
  expect(argv).not.toContain('--tcp-close');
});

it('cgroups of v1 are one file a hierarchy, and the unused v2 line is left out', () => {
  const text = '9:name=systemd:/kubepods/x\n4:cpu,cpuacct:/kubepods/x\n0::/\n';
  expect(cgroupFiles('/cg', text)).toEqual([
    '/cg/systemd/kubepods/x/cgroup.procs',
    '/cg/cpu,cpuacct/kubepods/x/cgroup.procs',
  ]);
});

it('cgroup v2 is one file, and a path that leads out is none', () => {
  expect(cgroupFiles('/cg', '0::/kubepods.slice/x.scope\n')).toEqual([
    '/cg/kubepods.slice/x.scope/cgroup.procs',
  ]);
  expect(cgroupFiles('/cg', '0::/../../x\n')).toEqual([]);
});

it('no mount point of the pod is extracted over, and no whiteout is extracted', () => {
  const argv = layerArguments(['/', '/etc/hosts', '/dev']);
  expect(argv).toContain('--exclude=./etc/hosts');
  expect(argv).toContain('--exclude=./dev');
  expect(argv).not.toContain('--exclude=./');
  expect(argv.at(-1)).toBe('--exclude=.wh.*');
});

it('a part of a volume goes where that part is mounted, and files that look like whiteouts are files', () => {
  expect(volumeArguments('/data', '').join(' ')).not.toMatch(/strip|exclude/);
  expect(volumeArguments('/data', 'a/b').slice(-2)).toEqual(['--strip-components=3', './a/b']);
});
