/** What /proc/PID/stat (or /proc/PID/task/TID/stat) says. `state` is the kernel's letter: R, S, D, T, t, Z, X, I. */
export type ProcessStat = {
  readonly pid: number;
  readonly command: string;
  readonly state: string;
  readonly parentPid: number;
  readonly threads: number;
  readonly startTicks: number;
};

/** Parses /proc/PID/stat. The command may itself hold spaces, parentheses and newlines, so it ends at the last `)`. */
export function parseStat(text: string): ProcessStat | undefined {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  if (open < 0 || close < open) return undefined;
  const fields = text
    .slice(close + 1)
    .trim()
    .split(' ');
  const [state, parent] = fields;
  const stat = {
    pid: Number(text.slice(0, open).trim()),
    command: text.slice(open + 1, close),
    state: state ?? '',
    parentPid: Number(parent),
    threads: Number(fields[17]),
    startTicks: Number(fields[19]),
  };
  return Number.isInteger(stat.pid) && Number.isInteger(stat.startTicks) && stat.state !== ''
    ? stat
    : undefined;
}

/** What /proc/PID/status says, sizes in bytes. `namespacePids` goes from the reader's PID namespace to the innermost. */
export type ProcessStatus = {
  readonly name: string;
  readonly tracerPid: number;
  readonly uid: number;
  readonly namespacePids: readonly number[];
  readonly anonymousBytes: number;
  readonly sharedMemoryBytes: number;
  readonly swapBytes: number;
};

/** Parses /proc/PID/status; absent fields (a kernel thread has no Rss) count as 0. */
export function parseStatus(text: string): ProcessStatus {
  const fields = new Map<string, string>();
  for (const line of text.split('\n')) {
    const colon = line.indexOf(':');
    if (colon > 0) fields.set(line.slice(0, colon), line.slice(colon + 1).trim());
  }
  const first = (key: string): number => Number((fields.get(key) ?? '0').split(/\s+/)[0]) || 0;
  return {
    name: fields.get('Name') ?? '',
    tracerPid: first('TracerPid'),
    uid: first('Uid'),
    namespacePids: (fields.get('NSpid') ?? '').split(/\s+/).filter(Boolean).map(Number),
    anonymousBytes: first('RssAnon') * 1024,
    sharedMemoryBytes: first('RssShmem') * 1024,
    swapBytes: first('VmSwap') * 1024,
  };
}
