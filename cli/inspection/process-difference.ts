import type { InspectedProcess } from './inspected-process.ts';

/** A process that two artifacts do not say the same of. `what`: for one that stayed. */
export type ProcessDifference = {
  readonly pid: number;
  readonly change: 'came' | 'went' | 'changed';
  readonly command: string;
  readonly what?: readonly string[];
};

/** What is compared of two processes of one pid and command, as it is told. */
const respects = {
  state: ({ state }) => state,
  parent: ({ parentPid }) => String(parentPid),
  arguments: ({ arguments: words }) => JSON.stringify(words ?? []),
  uid: ({ credentials }) => `${credentials?.uid} ${credentials?.effectiveUID}`,
  capabilities: ({ credentials }) => String(credentials?.capabilities.effective.length ?? 0),
  threads: ({ threads }) => String(threads.length),
  descriptors: ({ descriptors }) => String(descriptors.length),
  mappings: ({ mappings }) => String(mappings),
  'resident bytes': ({ residentBytes }) => String(residentBytes),
  'working directory': ({ workingDirectory = '' }) => workingDirectory,
} as const satisfies Record<string, (process: InspectedProcess) => string>;
const shownValues: ReadonlySet<string> = new Set([
  'state',
  'parent',
  'uid',
  'threads',
  'descriptors',
  'mappings',
  'resident bytes',
  'working directory',
]);

/** A pid that another program has is two processes: one that went and one that came. */
const identityOf = ({ pid, command, executable = '' }: InspectedProcess): string =>
  `${pid} ${command} ${executable}`;

/** Compares two trees process by process, in order of pids. */
export function processDifferences(
  before: readonly InspectedProcess[],
  after: readonly InspectedProcess[],
): readonly ProcessDifference[] {
  const [first, second] = [before, after].map(
    (all) => new Map(all.map((process) => [identityOf(process), process])),
  );
  const went = before
    .filter((process) => second?.has(identityOf(process)) !== true)
    .map(({ pid, command }): ProcessDifference => ({ pid, change: 'went', command }));
  const rest = after.flatMap((process): readonly ProcessDifference[] => {
    const { pid, command } = process;
    const earlier = first?.get(identityOf(process));
    if (earlier === undefined) return [{ pid, change: 'came', command }];
    const what = changes(earlier, process);
    return what.length === 0 ? [] : [{ pid, change: 'changed', command, what }];
  });
  return [...went, ...rest].toSorted((a, b) => a.pid - b.pid);
}

const changes = (before: InspectedProcess, after: InspectedProcess): readonly string[] =>
  Object.entries(respects).flatMap(([name, of]) => {
    const [first, second] = [of(before), of(after)];
    if (first === second) return [];
    return [shownValues.has(name) ? `${name} ${first} -> ${second}` : name];
  });
