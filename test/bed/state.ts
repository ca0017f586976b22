import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { bedPaths } from './paths.ts';
import type { ProcessIdentity } from './proc-stat.ts';

const identitySchema = z.object({ pid: z.number().int(), startTicks: z.string() });

const stateSchema = z.object({
  name: z.string(),
  /** Kernel boot of the processes: after another boot all pids are someone else's. */
  bootId: z.string(),
  phase: z.enum(['starting', 'up']),
  /** Port of 127.0.0.1 that leads to the API server. */
  port: z.number().int(),
  nodes: z.array(z.string()),
  /** Node root folder and, by program name, the words that start each program. */
  nodeRoot: z.string(),
  programs: z.record(z.string(), z.array(z.string())),
  /** By role: etcd, apiserver, kcm, scheduler, forwarder, node-a, ... */
  processes: z.record(z.string(), identitySchema),
});

/** What a bed remembers about itself between two commands. */
export type BedState = z.infer<typeof stateSchema>;

/** Identifier of the running kernel's boot. */
export const currentBootId = (): string =>
  readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

/** State of the bed, undefined when there is no such bed (or its file is not readable as one). */
export function readState(bed: string): BedState | undefined {
  try {
    return stateSchema.parse(JSON.parse(readFileSync(bedPaths(bed).statePath, 'utf8')));
  } catch {
    return undefined; // a half-made bed counts as none: `up` and `down` clean it by its name
  }
}

/** Replaces the state of the bed in one step; synchronous, so that no two writes can overtake each other. */
function writeState(state: BedState): void {
  const path = bedPaths(state.name).statePath;
  const aside = `${path}.${process.pid}`;
  writeFileSync(aside, `${JSON.stringify(state, undefined, 2)}\n`);
  renameSync(aside, path);
}

/** The state of a bed while it is being changed; every change is on disk before the next step. */
export type BedRecord = {
  readonly now: () => BedState;
  readonly change: (change: Partial<BedState>) => void;
  readonly remember: (role: string, identity: ProcessIdentity) => void;
};

/** Keeps `initial` on disk and takes changes to it. */
export function recordState(initial: BedState): BedRecord {
  let state = initial;
  const change = (part: Partial<BedState>): void => {
    state = { ...state, ...part };
    writeState(state);
  };
  change({});
  return {
    now: () => state,
    change,
    remember: (role, identity) => change({ processes: { ...state.processes, [role]: identity } }),
  };
}
