import { describe, it } from 'vitest';
import type { Request } from './model-world.ts';
import { type History, live } from './steps.ts';

const request = (kind: Request['kind']): Request => ({
  kind,
  backoffLimit: 0,
  keepsJobs: false,
  deletionPolicy: 'Delete',
});

/** Histories that once broke an invariant, of the controller as it was or of one broken on purpose, or that teach what may happen. */
const rows: readonly (readonly [story: string, history: History])[] = [
  [
    'a snapshot deleted in the moment before its order is made leaves no order',
    {
      request: request('snapshot'),
      steps: [['turn', 0, [1, 'before', 'deleteSnapshot']]],
      agent: 'works',
    },
  ],
  [
    'bytes that an agent stored for an order deleted meanwhile are not left',
    {
      request: request('snapshot'),
      steps: [['turn'], ['agentLooks'], ['deleteContent'], ['agentCommits']],
      agent: 'dead',
    },
  ],
  [
    'bytes found gone before the snapshot has heard of Ready',
    {
      request: request('snapshot'),
      steps: [['turn'], ['agentLooks'], ['agentCommits'], ['lag', 2], ['agentLoses'], ['turn']],
      agent: 'works',
    },
  ],
  [
    'a former leader that makes the Job of a checkpoint that has failed meanwhile leaves none',
    {
      request: request('checkpoint'),
      steps: [['takeOver'], ['turn'], ['jobFails'], ['turn'], ['turn'], ['turnOfFormer']],
      agent: 'works',
    },
  ],
  [
    'a checkpoint whose Job fails with its order Ready and the snapshot not told yet is Ready',
    {
      request: request('checkpoint'),
      steps: [
        ...([['turn'], ['jobsRun'], ['jobsRun'], ['turn'], ['turn']] as const),
        ...([['agentLooks'], ['agentCommits'], ['jobFails']] as const),
        ['turn', 0, [2, 'after', 'turn', 1]],
      ],
      agent: 'works',
    },
  ],
  [
    'a SnapshotJob whose snapshot is deleted before it is on record',
    {
      request: request('snapshotJob'),
      steps: [
        ['turn'],
        ['jobsRun'],
        ['turn', 0, [3, 'before', 'crash']],
        ['deleteSnapshot'],
        ['turn', 1],
      ],
      agent: 'works',
    },
  ],
  [
    'a SnapshotJob whose name is held by a snapshot that never goes ends at its deadline',
    {
      request: request('snapshotJob'),
      steps: [
        ...([['turn'], ['jobsRun'], ['jobsRun'], ['turn']] as const),
        ['turn', 0, [3, 'before', 'deleteRequest']],
        ...([['deleteSnapshot'], ['request']] as const),
      ],
      agent: 'hangs',
    },
  ],
  [
    'a checkpoint made anew while the Job of its predecessor still runs',
    {
      request: request('checkpoint'),
      steps: [
        ['turn'],
        ['jobsRun'],
        ['turn'],
        ['turn'],
        ['deleteRequest'],
        ['request'],
        ['agentLooks'],
      ],
      agent: 'works',
    },
  ],
];

describe('the invariants of the control plane hold for', () => {
  it.each(rows)('%s', async (_story, history) => live(history));
});
