import { type Bed, downBed, upBed } from '../../bed/bed.ts';
import { installCryopod } from '../../bed/install.ts';
import { findAgentPid } from '../../e2e/agent-pid.ts';
import { inNode, installPrograms } from '../capture/node.ts';
import { connect } from '../control-plane/accounts.ts';
import { loadAverage } from '../proc-usage.ts';
import type { BenchResult } from '../report.ts';
import { restoreResult } from './result.ts';
import {
  type BenchBed,
  type Reached,
  restoreMany,
  restoreManyBare,
  restoreOne,
  type SingleRound,
} from './rounds.ts';
import { makeSnapshot, namespace } from './source.ts';

/** What is restored, and how often. */
export type RestoreOptions = {
  readonly bedName: string;
  readonly sizes: readonly number[];
  readonly parallel: { readonly mebibytes: number; readonly counts: readonly number[] };
  readonly rounds: number;
  /** A round before them that does not count: it fills the node cache and the page cache. */
  readonly warmUp: boolean;
  readonly log: (line: string) => void;
};

export type ParallelRound = { readonly cryopod: Reached; readonly bare: SingleRound['bare'] };

export type RestoreFigures = {
  readonly singles: readonly {
    readonly name: string;
    readonly mebibytes: number;
    readonly rounds: readonly (SingleRound & { readonly loadAverage: number })[];
  }[];
  readonly parallel: readonly {
    readonly count: number;
    readonly mebibytes: number;
    readonly rounds: readonly ParallelRound[];
  }[];
};

const node = 'node-a';

/** Runs it on a bed of its own, which is gone afterwards whatever happened. */
export async function runRestore(options: RestoreOptions): Promise<BenchResult> {
  const { bedName, log } = options;
  try {
    await downBed(bedName);
    const bed = await upBed({ name: bedName, nodes: 1, log });
    await installCryopod(bed, { log });
    return restoreResult(await measureRestores(bed, options));
  } finally {
    await downBed(bedName);
  }
}

/** The same on a bed that has Cryopod already. */
export async function measureRestores(
  bed: Bed,
  options: Omit<RestoreOptions, 'bedName'>,
): Promise<RestoreFigures> {
  await installPrograms(bed, node, ['answering', 'first-answer']);
  await bed.kubectl(['create', 'namespace', namespace]);
  const kube = await connect(bed.kubeconfigPath);
  try {
    const find = ['bash', '-ec', findAgentPid];
    const agentPid = Number((await inNode(bed, node, find)).trim());
    const on = { bed, kube, node, agentPid };
    const singles: RestoreFigures['singles'][number][] = [];
    for (const mebibytes of [0, ...options.sizes]) {
      singles.push(await measureSize(on, options, mebibytes));
    }
    return { singles, parallel: await measureParallel(on, options) };
  } finally {
    kube.close();
    await bed.kubectl(['delete', 'namespace', namespace, '--wait=false']);
  }
}

async function measureSize(
  on: BenchBed,
  options: Pick<RestoreOptions, 'rounds' | 'warmUp' | 'log'>,
  mebibytes: number,
): Promise<RestoreFigures['singles'][number]> {
  const snapshot = await makeSnapshot(on.bed, on.kube, on.node, mebibytes);
  const rounds: RestoreFigures['singles'][number]['rounds'][number][] = [];
  for (let round = options.warmUp ? 0 : 1; round <= options.rounds; round += 1) {
    const cryopod = await restoreOne(on, snapshot);
    const bare = await restoreManyBare(on, snapshot, 1);
    options.log(
      `${snapshot.name}, round ${round}: runs after ${Math.round(cryopod.running)} ms, bare ${Math.round(bare.running)} ms`,
    );
    if (round > 0) rounds.push({ cryopod, bare, loadAverage: loadAverage() });
  }
  return { name: snapshot.name, mebibytes, rounds };
}

async function measureParallel(
  on: BenchBed,
  { parallel, rounds, log }: Pick<RestoreOptions, 'parallel' | 'rounds' | 'log'>,
): Promise<RestoreFigures['parallel']> {
  const { mebibytes, counts } = parallel;
  const listed = await on.bed.kubectl(['get', 'podsnapshots', '-n', namespace, '-o', 'name']);
  if (listed.includes(`mib-${mebibytes}\n`)) {
    await on.bed.kubectl(['delete', 'podsnapshot', `mib-${mebibytes}`, '-n', namespace]);
  }
  const snapshot = await makeSnapshot(on.bed, on.kube, on.node, mebibytes);
  // Fills the cache: the snapshot is a new one.
  await restoreOne(on, snapshot);
  const all: RestoreFigures['parallel'][number][] = [];
  for (const count of counts) {
    const measured: ParallelRound[] = [];
    for (let round = 1; round <= rounds; round += 1) {
      const cryopod = await restoreMany(on, snapshot, count);
      const bare = await restoreManyBare(on, snapshot, count);
      log(
        `${count} at once, round ${round}: all run after ${Math.round(cryopod.running)} ms, bare ${Math.round(bare.running)} ms`,
      );
      measured.push({ cryopod, bare });
    }
    all.push({ count, mebibytes, rounds: measured });
  }
  return all;
}
