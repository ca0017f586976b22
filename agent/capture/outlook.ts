import { connectionOf, nameOf, shown } from './check-wording.ts';
import type { SourceFacts } from './facts.ts';

/** What a capture would be, in sentences for a person; sizes in bytes. */
export type Outlook = {
  readonly captured: readonly { readonly what: string; readonly bytes: number }[];
  /** What works now and would not after a restore. */
  readonly lost: readonly string[];
};

const shownOfEach = 10;

/** What capturing the source would take and lose. Pure. */
export function foresee(facts: SourceFacts): Outlook {
  const count = facts.processes.length;
  const sizes = [
    {
      what: `memory of ${count} ${count === 1 ? 'process' : 'processes'}`,
      bytes: facts.memoryBytes,
    },
    { what: 'writable layer', bytes: facts.layerBytes },
    { what: volumesOf(facts), bytes: facts.volumeBytes },
  ];
  return {
    captured: sizes.filter(({ bytes }) => bytes > 0).map(({ what, bytes }) => ({ what, bytes })),
    lost: [
      ...some(facts.tcpConnections.map(connectionOf)),
      ...some(
        facts.processesBeside.map(
          (process) =>
            `${nameOf(process)} was started from outside (kubectl exec, a probe) and is not part of the capture`,
        ),
      ),
    ],
  };
}

const volumesOf = ({ volumes }: SourceFacts): string =>
  `volumes ${volumes.map(({ name, path }) => `${shown(name)} at ${shown(path)}`).join(', ')}`;

function some(lines: readonly string[]): readonly string[] {
  const more = lines.length - shownOfEach;
  return more > 0 ? [...lines.slice(0, shownOfEach), `and ${more} more of the kind`] : lines;
}
