/** One line of /proc/PID/cgroup. cgroup v2 has hierarchy 0 and no controllers. */
export type CgroupEntry = {
  readonly hierarchy: number;
  readonly controllers: readonly string[];
  readonly path: string;
};

/** Parses /proc/PID/cgroup, v1 and v2 alike; the path may contain colons (systemd's CRI paths do). */
export function parseCgroup(text: string): readonly CgroupEntry[] {
  const entries: CgroupEntry[] = [];
  for (const line of text.split('\n')) {
    const match = /^(\d+):([^:]*):(.*)$/.exec(line);
    if (match === null) continue;
    entries.push({
      hierarchy: Number(match[1]),
      controllers: (match[2] ?? '').split(',').filter(Boolean),
      path: match[3] ?? '',
    });
  }
  return entries;
}

/**
 * The container a cgroup path belongs to: 64 hex digits, bare (cgroupfs driver) or inside `cri-containerd-<id>.scope`, `crio-<id>.scope`
 * and `slice:cri-containerd:<id>` (systemd driver). Counted from `kubepods` (or `kubelet-kubepods`) on, and the first one wins: a workload can make cgroups
 * below its own container's, never above, so a deeper name that copies another container's is not believed.
 */
export function containerOfCgroupPath(path: string): string | undefined {
  const parts = path.split('/');
  const kubepods = parts.findIndex((part) => /^(.*-)?kubepods(\b|-)/.test(part));
  for (const part of parts.slice(Math.max(kubepods, 0))) {
    // CRI-O's monitor of a container runs beside it, outside.
    if (part.startsWith('crio-conmon-')) return undefined;
    const id = /(?:^|[^0-9a-f])([0-9a-f]{64})(?:\.scope)?$/.exec(part)?.[1];
    if (id !== undefined) return id;
  }
  return undefined;
}

/** The one container that all lines naming any agree on; undefined when there is none or they disagree. */
export function containerOfCgroups(entries: readonly CgroupEntry[]): string | undefined {
  const found = new Set<string>();
  for (const entry of entries) {
    const id = containerOfCgroupPath(entry.path);
    if (id !== undefined) found.add(id);
  }
  const [only] = found;
  return found.size === 1 ? only : undefined;
}
