import { readFile } from 'node:fs/promises';
import { parseCgroup } from '../../proc/cgroup-text.ts';
import { readProc } from '../../proc/process-table.ts';

/** Why no process of this node can be traced, and so none be dumped; undefined when they can. */
export async function findTracingProblem(procRoot: string): Promise<string | undefined> {
  // Absent where the kernel has no Yama. 3 forbids it to root too, and lasts until the next boot.
  const scope = (await readProc(`${procRoot}/sys/kernel/yama/ptrace_scope`))?.trim();
  return scope === '3' ? 'kernel.yama.ptrace_scope is 3' : undefined;
}

/**
 * The cgroup that holds a process frozen (paused by its runtime, by an administrator), undefined when none does. The freeze of a capture is
 * CRIU's own, by ptrace, and waits for ever for a process that a freezer holds.
 */
export async function findFreezer(
  procRoot: string,
  cgroupRoot: string,
  pid: number,
): Promise<string | undefined> {
  const entries = parseCgroup((await readProc(`${procRoot}/${pid}/cgroup`)) ?? '');
  for (const { hierarchy, controllers, path } of entries) {
    // Relative to a cgroup namespace that is not the node's: it names nothing that can be found from here.
    if (path.split('/').includes('..')) continue;
    const files =
      hierarchy === 0
        ? [`${cgroupRoot}${path}/cgroup.events`, `${cgroupRoot}/unified${path}/cgroup.events`]
        : controllers.includes('freezer')
          ? [`${cgroupRoot}/freezer${path}/freezer.state`]
          : [];
    for (const file of files) {
      const text = await readFile(file, 'utf8').catch(() => '');
      if (/^frozen 1$/m.test(text) || /^FR(EEZING|OZEN)\b/.test(text)) return path;
    }
  }
  return undefined;
}
