import { mkdir, writeFile } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import { dirname } from 'node:path';
import { json, table } from '../../cli/table.ts';
import { type Goal, isMet } from './figures.ts';
import { loadAverage } from './proc-usage.ts';

/** A table of a result. */
export type ResultTable = {
  readonly title: string;
  readonly heading: readonly string[];
  readonly rows: readonly (readonly string[])[];
};

/** What a bench found: goals and tables for people, `data` for programs. */
export type BenchResult = {
  readonly name: string;
  readonly goals: readonly Goal[];
  readonly tables: readonly ResultTable[];
  /** What a reader must know to judge the figures. */
  readonly notes: readonly string[];
  readonly data: unknown;
};

/** Where and when a bench ran. */
type Surroundings = {
  readonly at: string;
  readonly processors: number;
  readonly memoryMebibytes: number;
  readonly kernel: string;
  readonly node: string;
  readonly loadBefore: number;
  readonly loadAfter: number;
};

/** Looks around before the bench begins; call the result when it has ended. */
export function lookAround(): () => Surroundings {
  const loadBefore = loadAverage();
  const at = new Date().toISOString();
  return () => ({
    at,
    processors: cpus().length,
    memoryMebibytes: Math.round(totalmem() / 2 ** 20),
    kernel: release(),
    node: process.version,
    loadBefore,
    loadAfter: loadAverage(),
  });
}

const digits = (value: number): string =>
  Number.isFinite(value)
    ? value.toFixed(Math.abs(value) < 10 ? 2 : Math.abs(value) < 100 ? 1 : 0)
    : '-';

/** A number as tables show it: three digits or so. */
export const shown = digits;

const goalRow = (goal: Goal): readonly string[] => [
  goal.what,
  `${digits(goal.value)} ${goal.unit}`.trimEnd(),
  `${goal.bound} ${goal.limit} ${goal.unit}`.trimEnd(),
  isMet(goal) ? 'met' : 'MISSED',
];

/** The result as text for people. */
export function reportText(result: BenchResult, around: Surroundings): string {
  const { processors, memoryMebibytes, kernel, loadBefore, loadAfter } = around;
  const parts = [
    `${result.name}, ${around.at}: ${processors} processors, ${Math.round(memoryMebibytes / 1024)} GiB, Linux ${kernel}; load average ${digits(loadBefore)} before, ${digits(loadAfter)} after\n`,
    ...result.tables.map(({ title, heading, rows }) => `${title}\n${table(heading, rows)}`),
    ...(result.goals.length === 0
      ? []
      : [`Goals\n${table(['WHAT', 'MEASURED', 'GOAL', ''], result.goals.map(goalRow))}`]),
    ...(result.notes.length === 0 ? [] : [result.notes.map((note) => `Note: ${note}\n`).join('')]),
  ];
  return parts.join('\n');
}

/** Prints the result as asked, and keeps it as JSON. */
export async function publishResult(
  result: BenchResult,
  around: Surroundings,
  options: { readonly output: 'table' | 'json'; readonly file: string },
): Promise<void> {
  const goals = result.goals.map((goal) => ({ ...goal, met: isMet(goal) }));
  const { name, notes, data } = result;
  const text = json({ name, around, goals, notes, data });
  await mkdir(dirname(options.file), { recursive: true });
  await writeFile(options.file, text);
  process.stdout.write(options.output === 'json' ? text : reportText(result, around));
  process.stderr.write(`bench: written to ${options.file}\n`);
}
