import * as z from 'zod';
import { conditionSchema } from '../../../core/api/conditions.ts';
import { recordAt } from '../../../runtime/raw-object.ts';
import { ageSince } from '../../duration.ts';
import { type Fact, factsText } from '../../facts.ts';
import { progressFigures } from '../../request/progress-text.ts';
import { type RequestView, requestKinds } from '../../request/view.ts';
import { table } from '../../table.ts';
import type { EventLine } from './events.ts';

/** What one kind adds: facts of its own, and tables. */
export type KindParts = {
  readonly facts: readonly Fact[];
  readonly sections: readonly Section[];
};

/** A table with its heading. */
export type Section = {
  readonly heading: readonly string[];
  readonly rows: readonly (readonly string[])[];
};

const conditionsSchema = z.array(conditionSchema).catch([]);

/** A request as people read it. Pure. `paint`: colours the state. */
export function requestText(
  view: RequestView,
  { facts, sections }: KindParts,
  events: readonly EventLine[],
  shown: { readonly now: number; readonly paint: (state: string) => string },
): string {
  const { metadata, standing } = view;
  const age = (moment: string): string => ageSince(moment, shown.now);
  const open = standing.end === undefined;
  const why = [standing.reason, oneLine(standing.message)].filter((one) => one !== '');
  const all = factsText([
    ['Name', metadata.name],
    ['Namespace', metadata.namespace],
    ['Kind', requestKinds[view.word].kind.kind],
    ['UID', metadata.uid],
    [
      'Labels',
      Object.entries(metadata.labels)
        .map((label) => label.join('='))
        .join(', '),
    ],
    ['Created', `${metadata.creationTimestamp} (${age(metadata.creationTimestamp)} ago)`],
    ['State', standing.state, shown.paint],
    [open ? 'Waits for' : 'Because', why.join(': ')],
    ['Progress', progressFigures(view, shown.now)],
    ...facts,
  ]);
  const conditions = conditionsSchema.parse(recordAt(view.raw, 'status').conditions);
  const tables: readonly Section[] = [
    ...sections,
    {
      heading: ['CONDITION', 'STATUS', 'REASON', 'SINCE', 'MESSAGE'],
      rows: conditions.map(({ type, status, reason, lastTransitionTime, message }) => [
        ...[type, status, reason, age(lastTransitionTime), oneLine(message)],
      ]),
    },
    {
      heading: ['EVENT', 'TYPE', 'LAST', 'COUNT', 'MESSAGE'],
      rows: events.map(({ reason, type, at, count, message }) => [
        ...[reason, type, age(at), String(count), oneLine(message)],
      ]),
    },
  ];
  const known = tables.filter(({ rows }) => rows.length > 0);
  return [all, ...known.map(({ heading, rows }) => table(heading, rows))].join('\n');
}

/** Messages may have several lines; a table has one for each. */
const oneLine = (message: string): string => message.trim().replace(/\s*\n\s*/g, '; ');
