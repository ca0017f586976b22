import { readProc } from '../../proc/process-table.ts';

/**
 * The cgroup.procs files of a process, from /proc/PID/cgroup: one a hierarchy of v1 (`N:cpu,cpuacct:/path`, `N:name=systemd:/path`), or the one of
 * v2 (`0::/path`). On a node with v1 the v2 line is not used by any runtime, and is left out.
 */
export function cgroupFiles(cgroupRoot: string, text: string): readonly string[] {
  const lines = text
    .split('\n')
    .flatMap((line) => {
      const [id, controllers, ...path] = line.split(':');
      return id === undefined || controllers === undefined || path.length === 0
        ? []
        : [{ controllers: controllers.replace(/^name=/, ''), path: path.join(':') }];
    })
    .filter(({ path }) => path.startsWith('/') && !path.split('/').includes('..'));
  const first = lines.filter(({ controllers }) => controllers !== '');
  const used = first.length > 0 ? first : lines;
  return used.map(
    ({ controllers, path }) =>
      `${cgroupRoot}${controllers === '' ? '' : `/${controllers}`}${path === '/' ? '' : path}/cgroup.procs`,
  );
}

/** The same for a process that runs. */
export async function cgroupFilesOf(
  procRoot: string,
  cgroupRoot: string,
  pid: number,
): Promise<readonly string[]> {
  return cgroupFiles(cgroupRoot, (await readProc(`${procRoot}/${pid}/cgroup`)) ?? '');
}
