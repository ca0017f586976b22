import type { PodRestore } from '../../../core/api/pod-restore.ts';
import { formatBytes, formatMilliseconds } from '../../../core/units.ts';
import type { KindParts } from './request-text.ts';

const pairs = (values: Readonly<Record<string, string>>): string =>
  Object.entries(values)
    .map((pair) => pair.join('='))
    .join(', ');

const withUID = (name: string, uid: string | undefined): string =>
  name === '' || uid === undefined ? name : `${name} (UID ${uid})`;

/** What is particular to a restore. Pure. */
export function restoreParts({ spec, status }: PodRestore): KindParts {
  const { bytesFetched, restoreMilliseconds, attempts } = status;
  const { labels, annotations, env, resources } = spec.overrides;
  const resourceTexts = resources.map(({ container, requests, limits }) =>
    [`${container}:`, ...named('requests', requests), ...named('limits', limits)].join(' '),
  );
  return {
    facts: [
      ['Snapshot', withUID(spec.snapshotName, status.snapshotUID)],
      ['Pod', withUID(status.podName ?? spec.podName ?? '', status.podUID)],
      ['Node', status.nodeName],
      ['Node selector', pairs(spec.nodeSelector)],
      ['Labels set', pairs(labels)],
      ['Annotations', pairs(annotations)],
      // Values may be secrets.
      ['Environment', env.map(({ container, name }) => `${container}:${name}`).join(', ')],
      ['Resources', resourceTexts.join('; ')],
      ['On failure', spec.onFailure],
      ['Deadline', `${spec.deadlineSeconds} s`],
      ['Attempts', `${attempts ?? 0} of ${spec.maxAttempts}`],
      ['Fetched', bytesFetched === undefined ? '' : formatBytes(bytesFetched)],
      ['Took', restoreMilliseconds === undefined ? '' : formatMilliseconds(restoreMilliseconds)],
      ['Completed', status.completedAt],
    ],
    sections: [
      {
        heading: ['CANDIDATE', 'FITS', 'WHY'],
        rows: (status.candidates ?? []).map(({ node, fits, reason = '' }) => [
          ...[node, fits ? 'yes' : 'no', reason],
        ]),
      },
    ],
  };
}

const named = (word: string, values: Readonly<Record<string, string>>): readonly string[] =>
  Object.keys(values).length === 0 ? [] : [`${word} ${pairs(values)}`];
