import { formatBytes } from '../../../core/units.ts';
import type { ArtifactDifference } from '../../inspection/artifact-difference.ts';
import type { FileDifference } from '../../inspection/file-difference.ts';
import { maskedText } from '../../inspection/secrets.ts';
import { printable } from '../../table.ts';
import { section } from '../inspect/inspection-text.ts';

/** A difference as people read it; parts that are the same are left out. */
export function differenceText({ before, after, ...found }: ArtifactDifference): string {
  if (found.same) return `${printable(before.name)} and ${printable(after.name)} are the same.\n`;
  const text = [
    ...section(
      ['FACT', 'BEFORE', 'AFTER'],
      found.facts.map((each) => [each.fact, each.before || '-', each.after || '-']),
    ),
    ...section(
      ['CONTAINER', 'PID', 'PROCESS', 'COMMAND', 'WHAT'],
      found.containers.flatMap(({ name, processes }) =>
        processes.map(({ pid, change, command, what = [] }) => [
          ...[name, String(pid), change, command],
          what.join(', '),
        ]),
      ),
    ),
    ...section(
      ['CONTAINER', 'MEMORY', 'BEFORE', 'AFTER', 'SHARED', 'CHANGED', 'ZEROS', 'STORED ANEW'],
      found.containers.map(({ name, memory }) => [
        ...[name, memory.same ? 'same' : 'differs'],
        formatBytes(memory.beforeBytes),
        formatBytes(memory.afterBytes),
        share(memory.sharedBytes, memory.afterBytes),
        share(memory.changedBytes, memory.afterBytes),
        formatBytes(memory.zeroBytes),
        formatBytes(memory.changedStoredBytes),
      ]),
    ),
    ...section(
      ['WHERE', 'FILE', 'TYPE', 'BEFORE', 'AFTER', 'PATH', 'WHAT'],
      [
        ...found.containers.flatMap(({ name, files }) => fileRows(`container ${name}`, files)),
        ...found.volumes.flatMap(({ name, files }) => fileRows(`volume ${name}`, files)),
      ],
    ),
  ];
  return text.join('\n');
}

const share = (bytes: number, of: number): string =>
  of === 0 ? formatBytes(bytes) : `${formatBytes(bytes)} (${Math.round((100 * bytes) / of)} %)`;

const fileRows = (
  where: string,
  files: readonly FileDifference[],
): readonly (readonly string[])[] =>
  files.map(({ path, change, type, beforeBytes, afterBytes, what = [] }) => [
    ...[where, change, type],
    beforeBytes === undefined ? '-' : formatBytes(beforeBytes),
    afterBytes === undefined ? '-' : formatBytes(afterBytes),
    maskedText(path),
    what.join(', '),
  ]);
