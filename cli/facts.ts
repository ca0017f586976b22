import { printable } from './table.ts';

/** A label and what it says, with colour where `paint` gives it one; undefined and '': not shown. */
export type Fact = readonly [
  label: string,
  value: string | undefined,
  paint?: (text: string) => string,
];

/** Labels and values under each other, as `kubectl describe` prints them. */
export function factsText(facts: readonly Fact[]): string {
  const known = facts.flatMap(([label, value = '', paint = plain]) =>
    value === '' ? [] : [[label, paint(printable(value))] as const],
  );
  const width = Math.max(0, ...known.map(([label]) => label.length)) + 1;
  return known.map(([label, text]) => `${`${label}:`.padEnd(width)}  ${text}\n`).join('');
}

const plain = (text: string): string => text;
