/** A process named so that a recycled pid is never mistaken for it. `startTicks`: field 22 of /proc/PID/stat. */
export type ProcessIdentity = { readonly pid: number; readonly startTicks: number };

/** What a capture does to one container: its first process, and the CRIU that dumps it, undefined while there is none. */
export type CaptureProcesses = {
  readonly container: string;
  readonly source: ProcessIdentity;
  readonly criu: ProcessIdentity | undefined;
};

/** True when both name the same process. */
export function sameProcess(one: ProcessIdentity, other: ProcessIdentity): boolean {
  return one.pid === other.pid && one.startTicks === other.startTicks;
}
