import { type Goal, quantile, spreadOf } from '../figures.ts';
import { type BenchResult, type ResultTable, shown } from '../report.ts';
import type { RestoreFigures } from './run.ts';

type Single = RestoreFigures['singles'][number];
type Parallel = RestoreFigures['parallel'][number];

/** Ratios are taken inside a round, where both sides saw the same machine. */
const medianOf = <R>(rounds: readonly R[], of: (round: R) => number): number =>
  quantile(rounds.map(of), 0.5);

const singleRatio = ({ cryopod, bare }: Single['rounds'][number]): number =>
  (cryopod.running - 100) / bare.running;
const parallelRatio = ({ cryopod, bare }: Parallel['rounds'][number]): number =>
  cryopod.running / bare.running;

function goalsOf({ singles, parallel }: RestoreFigures): readonly Goal[] {
  const most = { bound: 'at most', unit: '' } as const;
  return [
    ...singles.map(({ name, rounds }) => ({
      ...{
        what: `(placeholder to process running - 100 ms) / bare criu restore, ${name}`,
        ...most,
      },
      ...{ value: medianOf(rounds, singleRatio), limit: 1.2 },
    })),
    ...parallel.map(({ count, mebibytes, rounds }) => ({
      ...{ what: `${count} at once / ${count} bare criu restores, ${mebibytes} MiB each`, ...most },
      ...{ value: medianOf(rounds, parallelRatio), limit: 1.5 },
    })),
  ];
}

function medianAndSpread<R>(rounds: readonly R[], of: (round: R) => number): string {
  const { median, least, greatest } = spreadOf(rounds.map(of));
  return `${shown(median)} (${shown(least)}-${shown(greatest)})`;
}

const times = {
  RUNNING: ({ cryopod }) => cryopod.running,
  'FIRST ANSWER': ({ cryopod }) => cryopod.answered,
  'BARE: RUNNING': ({ bare }) => bare.running,
  'BARE: FIRST ANSWER': ({ bare }) => bare.answered,
  'BARE: CRIU ENDED': ({ bare }) => bare.ended,
} as const satisfies Record<string, (round: Parallel['rounds'][number]) => number>;

function tablesOf({ singles, parallel }: RestoreFigures): readonly ResultTable[] {
  return [
    {
      title: 'One restore, in node cache. Milliseconds: median (least-greatest)',
      heading: ['WHAT', ...singles.map(({ name }) => name.toUpperCase())],
      rows: [
        ...Object.entries(times).map(([what, of]) => [
          what,
          ...singles.map(({ rounds }) => medianAndSpread(rounds, of)),
        ]),
        ...(['all', 'fetch', 'files', 'criu'] as const).map((stage) => [
          `AGENT: ${stage.toUpperCase()}`,
          ...singles.map(({ rounds }) =>
            medianAndSpread(rounds, ({ cryopod }) => cryopod.stages[stage]),
          ),
        ]),
        [
          'LOAD AVERAGE',
          ...singles.map(({ rounds }) => shown(medianOf(rounds, (round) => round.loadAverage))),
        ],
      ],
    },
    {
      title: 'Many at once of one snapshot, until the last. Milliseconds: median (least-greatest)',
      heading: ['WHAT', ...parallel.map(({ count, mebibytes }) => `${count} X ${mebibytes} MIB`)],
      rows: Object.entries(times).map(([what, of]) => [
        what,
        ...parallel.map(({ rounds }) => medianAndSpread(rounds, of)),
      ]),
    },
  ];
}

/** What the figures say. */
export const restoreResult = (figures: RestoreFigures): BenchResult => ({
  name: 'restore',
  goals: goalsOf(figures),
  tables: tablesOf(figures),
  notes: [
    'One restore is counted from the moment at which the init of the placeholder waits, in a pod that is created like any other. Bare CRIU is counted from its command, in a placeholder that has waited for a while.',
    'Many at once are counted from the moment at which the agent, which was held until all placeholders were known to run, is let go.',
    "Bare CRIU has the agent's options, images, namespaces and cgroups, and does nothing else. Both restore from the same files, in the page cache.",
  ],
  data: figures,
});
