import { type Pressure, type Resource, resources } from '../proc/pressure.ts';

/** Percent of the time in which some task may wait for a resource before captures that can wait do. */
const highPercent: Readonly<Record<Resource, number>> = { cpu: 80, io: 40, memory: 20 };

/** Why an order whose source has this priority is to wait now, in the words of its condition; undefined when it need not. */
export type HeldBack = (priority: number) => Promise<string | undefined>;

/**
 * Orders below a priority wait while the node is under pressure; what its pods need comes first. Where the kernel does not tell (no PSI) nobody
 * waits, and the log says so once.
 */
export function heldBackBelow(
  lowPriority: number,
  read: () => Promise<Pressure>,
  log: { readonly warn: (fields: object, message: string) => void },
): HeldBack {
  let told = false;
  return async (priority) => {
    if (priority >= lowPriority) return undefined;
    const pressure = await read();
    if (Object.keys(pressure).length === 0 && !told) {
      told = true;
      log.warn(
        {},
        'the kernel tells no pressure (PSI): captures of low priority do not wait for it',
      );
    }
    return pressureText(pressure);
  };
}

/** What the node is short of; undefined for nothing. */
export function pressureText(pressure: Pressure): string | undefined {
  const high = resources.filter((resource) => (pressure[resource] ?? 0) >= highPercent[resource]);
  if (high.length === 0) return undefined;
  const parts = high.map(
    (resource) => `${resource} ${pressure[resource]} % (limit ${highPercent[resource]} %)`,
  );
  return `the node is under pressure: tasks wait for ${parts.join(', ')}`;
}
