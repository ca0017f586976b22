import { type Bed, downBed, upBed } from '../../bed/bed.ts';
import { installCryopod } from '../../bed/install.ts';
import { connect } from '../control-plane/accounts.ts';
import { loadAverage } from '../proc-usage.ts';
import type { BenchResult } from '../report.ts';
import { type AgentProcess, findAgent, idleFigures } from './agent.ts';
import { type Baselines, measureBaselines } from './baselines.ts';
import { type Captured, measureCapture } from './capture.ts';
import { installPrograms } from './node.ts';
import { captureResult } from './result.ts';
import { type Content, namespace, removeSource, startSource } from './source.ts';

/** What is captured, and how often. */
export type CaptureOptions = {
  readonly bedName: string;
  readonly sizes: readonly number[];
  readonly contents: readonly Exclude<Content, 'loop'>[];
  readonly rounds: number;
  /** A round before them that does not count: it fills caches, warms code up and lets the disk grow its files. */
  readonly warmUp: boolean;
  readonly idleSeconds: number;
  readonly log: (line: string) => void;
};

/** One round: Cryopod and every baseline, on the same pod, one after the other. */
export type Round = Omit<Captured, 'options'> & Baselines & { readonly loadAverage: number };

/** All rounds of one source. */
export type SourceFigures = {
  readonly name: string;
  readonly content: Content;
  readonly mebibytes: number;
  readonly rounds: readonly Round[];
};

export type CaptureFigures = {
  readonly idle: Awaited<ReturnType<typeof idleFigures>>;
  readonly sources: readonly SourceFigures[];
};

const node = 'node-a';

/** Runs it on a bed of its own, which is gone afterwards whatever happened. */
export async function runCapture(options: CaptureOptions): Promise<BenchResult> {
  const { bedName, log } = options;
  try {
    await downBed(bedName);
    const bed = await upBed({ name: bedName, nodes: 1, log });
    await installCryopod(bed, { log });
    return captureResult(await measureCaptures(bed, options));
  } finally {
    await downBed(bedName);
  }
}

/** The same on a bed that has Cryopod already. */
export async function measureCaptures(
  bed: Bed,
  options: Omit<CaptureOptions, 'bedName'>,
): Promise<CaptureFigures> {
  await installPrograms(bed, node, ['ballast', 'timed']);
  await bed.kubectl(['create', 'namespace', namespace]);
  const kube = await connect(bed.kubeconfigPath);
  try {
    const agent = await findAgent(bed, node);
    const idle = await idleFigures(agent, options.idleSeconds * 1000);
    const wanted: readonly (readonly [Content, number])[] = [
      ['loop', 0],
      ...options.sizes.flatMap((size) => options.contents.map((one) => [one, size] as const)),
    ];
    const sources: SourceFigures[] = [];
    for (const [content, mebibytes] of wanted) {
      sources.push(await measureSource(bed, kube, agent, options, content, mebibytes));
    }
    return { idle, sources };
  } finally {
    kube.close();
    await bed.kubectl(['delete', 'namespace', namespace, '--wait=false']);
  }
}

async function measureSource(
  bed: Bed,
  kube: Awaited<ReturnType<typeof connect>>,
  agent: AgentProcess,
  options: Pick<CaptureOptions, 'rounds' | 'warmUp' | 'log'>,
  content: Content,
  mebibytes: number,
): Promise<SourceFigures> {
  const source = await startSource(bed, node, content, mebibytes);
  const rounds: Round[] = [];
  for (let round = options.warmUp ? 0 : 1; round <= options.rounds; round += 1) {
    const { options: criuOptions, ...captured } = await measureCapture(
      ...([bed, kube, node, agent, source] as const),
    );
    if (round === 0) continue;
    const baselines = await measureBaselines(bed, kube, node, source, criuOptions);
    rounds.push({ ...captured, ...baselines, loadAverage: loadAverage() });
    options.log(
      `${source.name}, round ${round}: Ready after ${Math.round(captured.requestToReady)} ms, frozen ${captured.freeze} ms; bare dump ${Math.round(baselines.bareDump)} ms, with sync ${Math.round(baselines.bareDumpSynced)} ms`,
    );
  }
  await removeSource(bed, source);
  return { name: source.name, content, mebibytes, rounds };
}
