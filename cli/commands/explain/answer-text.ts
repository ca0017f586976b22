import type { PodSnapshotExplanation } from '../../../core/api/pod-snapshot-explanation.ts';
import { formatBytes, formatMilliseconds } from '../../../core/units.ts';
import { factsText } from '../../facts.ts';
import { table } from '../../table.ts';

/** An answer as people read it. */
export function asText({ metadata, spec, status }: PodSnapshotExplanation): string {
  const { estimatedBytes, expectedFreezeMilliseconds } = status;
  const facts = factsText([
    ['Pod', `${metadata.namespace ?? ''}/${spec.podRef.name}`],
    ['Containers', spec.podRef.containers.join(', ')],
    ['Node', spec.nodeName],
    ['Answer', verdictOf(status)],
    ['Size', estimatedBytes === undefined ? '' : `${formatBytes(estimatedBytes)} at most`],
    [
      'Freeze',
      expectedFreezeMilliseconds === undefined
        ? ''
        : `about ${formatMilliseconds(expectedFreezeMilliseconds)}`,
    ],
  ]);
  const captured = status.captured.map(({ what, bytes }) => [what, formatBytes(bytes)]);
  return [
    facts,
    ...section(['CAPTURED', 'SIZE'], captured),
    ...section(['NOT CAPTURED'], rows(status.notCaptured)),
    ...section(['LOST IN A RESTORE'], rows(status.lost)),
    ...section(
      ['BLOCKED BY', 'WHY AND WHAT TO DO'],
      status.blockers.map(({ check, message }) => [check, message]),
    ),
  ].join('\n');
}

const rows = (lines: readonly string[]): readonly (readonly string[])[] =>
  lines.map((line) => [line]);

const section = (
  heading: readonly string[],
  found: readonly (readonly string[])[],
): readonly string[] => (found.length === 0 ? [] : [table(heading, found)]);

function verdictOf({ answer, message, blockers }: PodSnapshotExplanation['status']): string {
  if (answer === 'Capturable') return 'can be captured';
  if (answer !== 'Blocked') return `unknown: ${message ?? 'the agent gave no reason'}`;
  return `cannot be captured, ${blockers.length} ${blockers.length === 1 ? 'thing is' : 'things are'} in the way`;
}
