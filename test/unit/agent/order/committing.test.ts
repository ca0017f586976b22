import { expect, it } from 'vitest';
import { decide, type Phase, phaseOf } from '../../../../agent/order/decide.ts';
import type { Observed } from '../../../../agent/order/observed.ts';
import type { PodSnapshotContent } from '../../../../core/api/pod-snapshot-content.ts';
import { base, cancelled, content, isTrue, open, running } from './support/observation.ts';

const terminated = (status: object): PodSnapshotContent =>
  content({}, { afterCapture: 'Terminate' }, status);

/** Name of the case, what was observed, its phase, and the actions without the pauses. */
const cases: readonly (readonly [string, Partial<Observed>, Phase, readonly string[]])[] = [
  [
    'a frozen source whose order is neither ended nor cancelled',
    { intent: open('committing'), hold: 'waits', content: terminated({}) },
    'Committing',
    ['reportReady'],
  ],
  [
    'a frozen source whose order somebody else holds',
    { intent: open('committing'), hold: 'waits', lease: { state: 'none' } },
    'Committing',
    ['takeLease'],
  ],
  [
    'a frozen source whose order is Ready',
    {
      intent: open('committing'),
      hold: 'waits',
      content: terminated(isTrue('Ready', 'Captured')),
    },
    'Committing',
    [
      'deletePod',
      'endSource',
      'reportTerminated',
      'dropStaging',
      'releaseLease',
      'closeIntent',
      'forget',
    ],
  ],
  [
    'a frozen source whose order is Ready and held by nobody',
    {
      intent: open('committing'),
      lease: { state: 'none' },
      content: terminated(isTrue('Ready', 'Captured')),
    },
    'Committing',
    ['deletePod', 'endSource', 'takeLease'],
  ],
  [
    'a frozen source whose order was ended otherwise',
    {
      intent: open('committing'),
      hold: 'waits',
      content: terminated(isTrue('Failed', 'NodeLost')),
    },
    'Committing',
    ['discardArtifact', 'runSource'],
  ],
  [
    'a frozen source whose bytes are deleted already',
    {
      intent: open('committing'),
      hold: 'waits',
      content: terminated({
        conditions: [
          ...isTrue('Ready', 'Captured').conditions,
          ...isTrue('ArtifactDeleted', 'ArtifactDeleted').conditions,
        ],
      }),
    },
    'Committing',
    ['discardArtifact', 'runSource'],
  ],
  [
    'a source that was to be frozen and ran on',
    { intent: open('committing'), hold: 'ended', content: terminated({}) },
    'Committing',
    ['runSource'],
  ],
  [
    'a frozen source whose order is gone',
    { intent: open('committing'), hold: 'waits', content: undefined },
    'Gone',
    ['runSource'],
  ],
  [
    'a frozen source whose worker is not done',
    { intent: open('committing'), work: running, content: terminated({}) },
    'Working',
    ['note'],
  ],
  ['a publish of a source that has run on', { intent: open('holding') }, 'Unsettled', ['settle']],
  [
    'an order to end its source that failed and may have published',
    {
      work: { state: 'failed', reason: 'StorageFull', message: 'm', sourceState: 'Running' },
      intent: { step: 'staging', attempt: 1, settled: true },
      content: terminated({}),
    },
    'Failing',
    ['discardArtifact', 'reportFailed'],
  ],
  [
    'a frozen source whose order is cancelled',
    { intent: open('committing'), hold: 'waits', content: cancelled },
    'Committing',
    ['discardArtifact', 'runSource'],
  ],
  [
    'a frozen source whose order is past its deadline and not cancelled',
    { intent: open('committing'), hold: 'waits', deadlineLeftMilliseconds: -1 },
    'Committing',
    ['reportReady'],
  ],
  [
    'a frozen source whose order was routed elsewhere when it was deleted',
    {
      intent: open('committing'),
      hold: 'waits',
      mine: false,
      content: content({ deletionTimestamp: 'now' }),
    },
    'Committing',
    ['discardArtifact', 'runSource'],
  ],
];

it.each(cases)('%s', (_name, change, phase, actions) => {
  const observed: Observed = { ...base, ...change };
  expect(phaseOf(observed)).toBe(phase);
  const done = decide(observed).filter((action) => action.do !== 'again');
  expect(done.map((action) => action.do)).toEqual(actions);
});
