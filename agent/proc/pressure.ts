import { readProc } from './process-table.ts';

/** What tasks can be short of. */
export const resources = ['cpu', 'io', 'memory'] as const;
export type Resource = (typeof resources)[number];

/** Percent of the last 10 s in which some task of the node waited for the resource; absent where the kernel does not say (no PSI). */
export type Pressure = Readonly<Partial<Record<Resource, number>>>;

/** The `avg10` of the line `some` of a file of /proc/pressure; undefined for anything else. */
export function parsePressure(text: string): number | undefined {
  const percent = /^some .*\bavg10=(\d+(?:\.\d+)?)\b/m.exec(text)?.[1];
  return percent === undefined ? undefined : Number(percent);
}

/** Pressure stall information of the node. */
export async function readPressure(procRoot: string): Promise<Pressure> {
  const pressure: Partial<Record<Resource, number>> = {};
  for (const resource of resources) {
    // A kernel with psi=0 has the files and refuses to have them read.
    const text = await readProc(`${procRoot}/pressure/${resource}`).catch(() => undefined);
    const percent = text === undefined ? undefined : parsePressure(text);
    if (percent !== undefined) pressure[resource] = percent;
  }
  return pressure;
}
