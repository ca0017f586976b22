/** Identity of a process that a recycled pid cannot forge: start time in clock ticks after boot. */
export type ProcessIdentity = { readonly pid: number; readonly startTicks: string };

/** What /proc/PID/stat says about a process. */
export type ProcStat = {
  readonly pid: number;
  readonly command: string;
  readonly state: string;
  readonly parentPid: number;
  readonly threads: number;
  readonly startTicks: string;
};

/**
 * Reads one line of /proc/PID/stat; undefined when it is not one. The command stands in parentheses
 * and may hold spaces and parentheses itself, so the fields are counted from the last ')'.
 */
export function parseProcStat(line: string): ProcStat | undefined {
  const open = line.indexOf(' (');
  const close = line.lastIndexOf(') ');
  if (open < 1 || close < open) return undefined;
  const fields = line
    .slice(close + 2)
    .trim()
    .split(' ');
  const [state, parent] = fields;
  const startTicks = fields[19];
  const pid = Number(line.slice(0, open));
  if (state === undefined || startTicks === undefined || !Number.isInteger(pid)) return undefined;
  return {
    pid,
    command: line.slice(open + 2, close),
    state,
    parentPid: Number(parent),
    threads: Number(fields[17]),
    startTicks,
  };
}

/**
 * Whether nothing of it is left but its entry. The first thread of a process that was killed can be a zombie while others are still
 * ending, and until they have, its sockets and files are open.
 */
export const hasEnded = ({ state, threads }: ProcStat): boolean =>
  state === 'X' || (state === 'Z' && threads <= 1);
