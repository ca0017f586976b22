import { formatBytes, formatMilliseconds } from '../../../core/units.ts';
import { ageSince } from '../../duration.ts';
import type { Column } from '../../output.ts';
import type { RequestView, RequestWord } from '../../request/view.ts';

type Columns = readonly Column<RequestView>[];

const bytesCell = (bytes: number | undefined): string =>
  bytes === undefined ? '' : formatBytes(bytes);
const timeCell = ({ milliseconds }: RequestView): string =>
  milliseconds === undefined ? '' : formatMilliseconds(milliseconds);
const plain = (name: string): string => name.slice(name.indexOf('/') + 1);

const name: Column<RequestView> = { heading: 'NAME', cell: ({ metadata }) => metadata.name };
const node: Column<RequestView> = { heading: 'NODE', cell: (view) => view.node };
const state: Column<RequestView> = { heading: 'STATE', cell: ({ standing }) => standing.state };
const reason: Column<RequestView> = {
  ...{ heading: 'REASON', wide: true },
  cell: ({ standing }) => standing.reason,
};
const to = (heading: string): Column<RequestView> => ({ heading, cell: (one) => plain(one.to) });
const from = (heading: string): Column<RequestView> => ({
  heading,
  cell: (one) => plain(one.from),
});

/** What is shown of one kind. */
const ofKind = {
  snapshot: [
    ...[name, from('POD'), node, state],
    { heading: 'SIZE', cell: ({ bytes }) => bytesCell(bytes) },
    { heading: 'STORED', wide: true, cell: ({ storedBytes }) => bytesCell(storedBytes) },
    { heading: 'FREEZE', cell: timeCell },
    { ...to('CONTENT'), wide: true },
    reason,
  ],
  restore: [
    ...[name, from('SNAPSHOT'), to('POD'), node, state],
    { heading: 'FETCHED', wide: true, cell: ({ bytes }) => bytesCell(bytes) },
    { heading: 'TOOK', cell: timeCell },
    reason,
  ],
  checkpoint: [name, from('JOB'), to('SNAPSHOT'), state, reason],
  job: [name, to('SNAPSHOT'), state, reason],
} as const satisfies Record<RequestWord, Columns>;

/** What is shown of several kinds under each other. */
const ofAll: Columns = [
  { heading: 'KIND', cell: ({ word }) => word },
  ...[name, { heading: 'FROM', cell: (one: RequestView) => one.from }],
  { heading: 'TO', wide: true, cell: (one) => one.to },
  ...[node, state],
  { heading: 'SIZE', cell: ({ bytes }) => bytesCell(bytes) },
  { heading: 'TIME', cell: timeCell },
  reason,
];

/** The columns of a list; age is measured against `nowMilliseconds`. Pure. */
export function columnsOf(
  words: readonly RequestWord[],
  allNamespaces: boolean,
  nowMilliseconds: number,
): Columns {
  const [only, ...others] = words;
  const shown = only !== undefined && others.length === 0 ? ofKind[only] : ofAll;
  const namespace: Columns = allNamespaces
    ? [{ heading: 'NAMESPACE', cell: ({ metadata }) => metadata.namespace ?? '' }]
    : [];
  const age: Column<RequestView> = {
    heading: 'AGE',
    cell: ({ metadata }) => ageSince(metadata.creationTimestamp, nowMilliseconds),
  };
  return [...namespace, ...shown, age];
}
