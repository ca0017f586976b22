import { readFileSync } from 'node:fs';
import { loadavg } from 'node:os';

/** Of the kernel's USER_HZ, which is 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/** What /proc says about a process now. */
export type Usage = {
  readonly processorSeconds: number;
  readonly residentMebibytes: number;
  /** Greatest resident set since the process began. */
  readonly peakMebibytes: number;
};

const mebibytesOf = (status: string, field: string): number =>
  Number(new RegExp(`^${field}:\\s+([0-9]+) kB$`, 'm').exec(status)?.[1] ?? Number.NaN) / 1024;

/** Reads the usage of a process; throws when it is gone. `proc`: the procfs that numbers it. */
export function usageOf(pid: number, proc = '/proc'): Usage {
  const status = readFileSync(`${proc}/${pid}/status`, 'utf8');
  const stat = readFileSync(`${proc}/${pid}/stat`, 'utf8');
  // The command stands in parentheses and may hold anything; the third field follows the last of them.
  const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ');
  return {
    processorSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    residentMebibytes: mebibytesOf(status, 'VmRSS'),
    peakMebibytes: mebibytesOf(status, 'VmHWM'),
  };
}

/** Processor seconds of this process and of the children it has waited for. */
export function familyProcessorSeconds(): number {
  const stat = readFileSync('/proc/self/stat', 'utf8');
  const fields = stat.slice(stat.lastIndexOf(') ') + 2).split(' ');
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / ticksPerSecond;
}

/** The load average over one minute: who else was at work decides what a figure is worth. */
export const loadAverage = (): number => loadavg()[0] ?? Number.NaN;

/** Seconds since boot in which something waited for a processor; NaN where the kernel does not count them. */
export function pressureSeconds(): number {
  try {
    const text = readFileSync('/proc/pressure/cpu', 'utf8');
    return Number(/^some .*total=([0-9]+)$/m.exec(text)?.[1] ?? Number.NaN) / 1e6;
  } catch {
    return Number.NaN; // a kernel without pressure figures
  }
}
