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

/** What a process may do, by /proc/PID/status. */
export type ProcessRights = {
  /** Real, effective, saved, of file systems. */
  readonly uids: readonly number[];
  readonly gids: readonly number[];
  readonly groups: readonly number[];
  readonly permitted: bigint;
  readonly bounding: bigint;
  readonly noNewPrivileges: boolean;
  readonly seccompMode: number;
};

/** The same, parsed; undefined where a line is missing, because rights that are not known must not be guessed. */
export function parseRights(text: string): ProcessRights | undefined {
  const field = (key: string): string | undefined =>
    new RegExp(`^${key}:[ \\t]*(.*)$`, 'm').exec(text)?.[1]?.trim();
  const numbers = (key: string): readonly number[] =>
    (field(key) ?? '').split(/\s+/).filter(Boolean).map(Number);
  const permitted = field('CapPrm');
  const bounding = field('CapBnd');
  const noNewPrivileges = field('NoNewPrivs');
  const uids = numbers('Uid');
  const gids = numbers('Gid');
  if (permitted === undefined || bounding === undefined || noNewPrivileges === undefined) return;
  if (uids.length !== 4 || gids.length !== 4) return;
  return {
    ...{ uids, gids },
    groups: numbers('Groups'),
    permitted: BigInt(`0x${permitted}`),
    bounding: BigInt(`0x${bounding}`),
    noNewPrivileges: noNewPrivileges === '1',
    // Absent in a kernel without it.
    seccompMode: Number(field('Seccomp') ?? 0),
  };
}
