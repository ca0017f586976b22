import { type Goal, quantile, spreadOf } from '../figures.ts';
import { type BenchResult, type ResultTable, shown } from '../report.ts';
import type { CaptureFigures, Round, SourceFigures } from './run.ts';

/** Median over the rounds of something computed of each: ratios are taken inside a round, where both sides saw the same machine. */
const median = (source: SourceFigures, of: (round: Round) => number): number =>
  quantile(source.rounds.map(of), 0.5);

const mebibytes = (bytes: number): number => bytes / 2 ** 20;
/** MiB a second. */
const rate = (bytes: number, milliseconds: number): number =>
  mebibytes(bytes) / (milliseconds / 1000);

const freezeRatio = (round: Round): number => (round.freeze - 20) / round.bareDump;
const readyRatio = (round: Round): number => round.requestToReady / round.bareDumpSynced;
const kubeletRatio = (round: Round): number => round.kubeletCheckpoint / round.requestToReady;
const publishRate = (round: Round): number => rate(round.sizeBytes, round.publish);
const publishRatio = (round: Round): number =>
  publishRate(round) /
  Math.min(rate(round.imageBytes, round.sha256sum), rate(round.imageBytes, round.copySynced));

function goalsOf({ idle, sources }: CaptureFigures): readonly Goal[] {
  const most = { bound: 'at most', unit: '' } as const;
  const least = { bound: 'at least', unit: '' } as const;
  const goals: Goal[] = sources.map((source) => ({
    ...{ what: `(freeze - 20 ms) / bare criu dump, ${source.name}`, ...most },
    ...{ value: median(source, freezeRatio), limit: 1.15 },
  }));
  const loop = sources.find(({ content }) => content === 'loop');
  if (loop !== undefined) {
    const beyond = median(loop, (round) => round.requestToReady - round.bareDump);
    const what = 'request to Ready beyond the bare dump, small process';
    goals.push({ ...most, what, value: beyond, unit: 'ms', limit: 350 });
  }
  for (const source of sources.filter((one) => one.mebibytes >= 1024)) {
    const ready = `request to Ready / (bare dump + sync -f), ${source.name}`;
    goals.push({ ...most, what: ready, value: median(source, readyRatio), limit: 1.5 });
    const kubelet = `kubelet's checkpoint / request to Ready, ${source.name}`;
    goals.push({ ...least, what: kubelet, value: median(source, kubeletRatio), limit: 5 });
    if (source.content !== 'random') continue;
    const what = `publish rate / the slower of sha256sum and cp + sync, ${source.name}`;
    goals.push({ ...least, what, value: median(source, publishRatio), limit: 0.8 });
  }
  const peaks = sources.flatMap(({ rounds }) => rounds.map((round) => round.peakMebibytes));
  const more = quantile(peaks, 1) - idle.residentMebibytes;
  return [
    ...goals,
    { ...most, what: 'agent RSS, idle', value: idle.residentMebibytes, unit: 'MiB', limit: 150 },
    { ...most, what: 'agent RSS, more at its most', value: more, unit: 'MiB', limit: 128 },
    { ...most, what: 'agent, idle', value: idle.processorShare * 100, unit: '% CPU', limit: 0.2 },
  ];
}

const times = {
  'REQUEST TO READY': (round) => round.requestToReady,
  FREEZE: (round) => round.freeze,
  PUBLISH: (round) => round.publish,
  'BARE DUMP': (round) => round.bareDump,
  'ITS FREEZE': (round) => round.bareFreeze,
  'DUMP + SYNC': (round) => round.bareDumpSynced,
  KUBELET: (round) => round.kubeletCheckpoint,
  'CP + SYNC': (round) => round.copySynced,
  SHA256SUM: (round) => round.sha256sum,
  'ZSTD -1': (round) => round.zstd1,
} as const satisfies Record<string, (round: Round) => number>;

const medianAndSpread = (source: SourceFigures, of: (round: Round) => number): string => {
  const { median: middle, least, greatest } = spreadOf(source.rounds.map(of));
  return `${shown(middle)} (${shown(least)}-${shown(greatest)})`;
};

function tablesOf(figures: CaptureFigures): readonly ResultTable[] {
  const { sources } = figures;
  return [
    {
      title: 'Milliseconds: median (least-greatest)',
      heading: ['WHAT', ...sources.map(({ name }) => name.toUpperCase())],
      rows: Object.entries(times).map(([what, of]) => [
        what,
        ...sources.map((source) => medianAndSpread(source, of)),
      ]),
    },
    {
      title: 'Medians of the ratios inside each round, and rates',
      heading: ['WHAT', ...sources.map(({ name }) => name.toUpperCase())],
      rows: (
        [
          ['FREEZE / ITS FREEZE', (round) => round.freeze / round.bareFreeze],
          ['READY / (DUMP + SYNC)', readyRatio],
          ['KUBELET / READY', kubeletRatio],
          ['PUBLISH MiB/s', publishRate],
          ['PUBLISH / SLOWER OF SHA256SUM, CP', publishRatio],
          ['STORED / CAPTURED', (round) => round.storedBytes / round.sizeBytes],
          ['AGENT RSS AT ITS MOST, MiB', (round) => round.peakMebibytes],
          ['LOAD AVERAGE', (round) => round.loadAverage],
        ] as const satisfies readonly (readonly [string, (round: Round) => number])[]
      ).map(([what, of]) => [what, ...sources.map((source) => shown(median(source, of)))]),
    },
  ];
}

/** What the figures say. */
export const captureResult = (figures: CaptureFigures): BenchResult => ({
  name: 'capture',
  goals: goalsOf(figures),
  tables: tablesOf(figures),
  notes: [
    'Every round runs Cryopod and all baselines on the same pod, one after the other, each after a sync of all that was written before.',
    'The bare dump has the options that the artifact records and writes where the agent stages; cp writes where the store is.',
    "FREEZE counts to the end of CRIU, which ends after the thaw; ITS FREEZE is from the line before the first seizure to the last line of the bare dump's log.",
  ],
  data: figures,
});
