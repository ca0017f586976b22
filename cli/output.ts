import { Option } from 'commander';
import { stringify } from 'yaml';
import type { Kind } from '../core/api/kinds.ts';
import type { RawObject } from '../runtime/kube-port.ts';
import { identityOf } from '../runtime/raw-object.ts';
import { json, table } from './table.ts';

/** How to print; `table` is what kubectl prints without `-o`. */
export const outputForms = ['table', 'wide', 'json', 'yaml', 'name'] as const;
export type OutputForm = (typeof outputForms)[number];

/** Adds to a command `-o` with some of the forms, the first of them unless told. */
export const outputOption = (...forms: readonly [OutputForm, ...OutputForm[]]): Option =>
  new Option('-o, --output <form>', 'how to print').choices(forms).default(forms[0]);

/** YAML as kubectl prints it: nothing folded, nothing referred to. */
export const yaml = (value: unknown): string =>
  stringify(value, { lineWidth: 0, aliasDuplicateObjects: false });

/** JSON or YAML of any value. */
export const structured = (form: 'json' | 'yaml', value: unknown): string =>
  form === 'json' ? json(value) : yaml(value);

/** `podsnapshot.nvidia.com/web`, as `-o name` and kubectl's messages say it. */
export function typedName(kind: Kind, name: string): string {
  const group = kind.group === '' ? '' : `.${kind.group}`;
  return `${kind.kind.toLowerCase()}${group}/${name}`;
}

/** A column of a table; `wide`: with `-o wide` only. */
export type Column<T> = {
  readonly heading: string;
  readonly wide?: true;
  readonly cell: (row: T) => string;
};

/** Something to show: the object as the server has it, of which kind it is, and what the columns read. */
export type Shown<T> = { readonly kind: Kind; readonly raw: RawObject; readonly row: T };

/** Objects in the form asked for; JSON and YAML are a `List` as of kubectl. */
export function objectsText<T>(
  form: OutputForm,
  objects: readonly Shown<T>[],
  columns: readonly Column<T>[],
): string {
  if (form === 'json' || form === 'yaml') {
    const items = objects.map(({ raw }) => raw);
    return structured(form, { apiVersion: 'v1', items, kind: 'List', metadata: {} });
  }
  if (form === 'name') {
    return objects.map(({ kind, raw }) => `${typedName(kind, identityOf(raw).name)}\n`).join('');
  }
  return rowsText(
    form,
    objects.map(({ row }) => row),
    columns,
  );
}

/** Rows as a table; an absent cell is `<none>`, as kubectl says it. */
export function rowsText<T>(
  form: 'table' | 'wide',
  rows: readonly T[],
  columns: readonly Column<T>[],
): string {
  const shown = columns.filter(({ wide }) => form === 'wide' || wide !== true);
  return table(
    shown.map(({ heading }) => heading),
    rows.map((row) => shown.map(({ cell }) => cell(row) || '<none>')),
  );
}

/** One object that a command made or changed: whole, by name, or as a sentence like kubectl's `podsnapshot.nvidia.com/web created`. */
export function doneText(form: OutputForm, kind: Kind, raw: RawObject, done: string): string {
  if (form === 'json' || form === 'yaml') return structured(form, raw);
  const name = typedName(kind, identityOf(raw).name);
  return form === 'name' ? `${name}\n` : `${name} ${done}\n`;
}
