import { describe, expect, it } from 'vitest';
import { decide, type Phase, phaseOf, phases } from '../../../../agent/order/decide.ts';
import type { Observed } from '../../../../agent/order/observed.ts';
import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../../../../core/api/pod-snapshot-content.ts';

function content(change: Record<string, unknown> = {}, spec = {}, status = {}): PodSnapshotContent {
  const parsed = parsePodSnapshotContent({
    metadata: { name: 'podsnapshotcontent-1', uid: 'uid-1', generation: 1, ...change },
    spec: {
      snapshotRef: { namespace: 'default', name: 'one', uid: 's-1' },
      source: { nodeName: 'node-a', podRef: { name: 'p', uid: 'p-1', containers: ['main'] } },
      ...spec,
    },
    status,
  });
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
}

const isTrue = (type: string, reason: string) => ({
  conditions: [{ type, status: 'True', reason, message: 'm', lastTransitionTime: '' }],
});

const base: Observed = {
  content: content(),
  mine: true,
  refusals: [],
  gate: 'passed',
  source: { state: 'ready' },
  turn: { state: 'granted' },
  heldBack: undefined,
  lease: { state: 'held', takeoverUnannounced: false },
  work: { state: 'none' },
  intent: undefined,
  labelled: false,
  unfinished: false,
  deadlineLeftMilliseconds: 60_000,
  note: undefined,
};

const cancelled = content({}, { cancel: true });
const running = {
  state: 'running',
  stage: 'Freezing',
  cancelling: false,
  progress: undefined,
} as const;
const open = (step: 'staging' | 'dumping' | 'dumped' | 'publishing' | 'published') => ({
  step,
  attempt: 1,
  settled: false,
});

/** Name of the case, what was observed, its phase, and the actions without the pauses. */
const cases: readonly (readonly [string, Partial<Observed>, Phase, readonly string[]])[] = [
  [
    'a content that is gone',
    { content: undefined, intent: open('dumped') },
    'Gone',
    ['dropStaging', 'releaseLease', 'closeIntent', 'forget'],
  ],
  [
    'a content that is gone while work runs',
    { content: undefined, work: running },
    'Gone',
    ['cancelWork'],
  ],
  ['an order of another node', { mine: false }, 'Foreign', ['forget']],
  ['an order nobody has looked at', { gate: 'open', source: undefined }, 'Ungated', ['gate']],
  [
    'a request that is not served',
    { gate: 'open', refusals: ['tcp'] },
    'Ungated',
    ['reportFailed'],
  ],
  [
    'a verdict of the gate without the lease',
    { gate: { reason: 'SourcePodNotFound', message: 'm' }, lease: { state: 'none' } },
    'Ungated',
    ['takeLease'],
  ],
  [
    'a verdict of the gate',
    { gate: { reason: 'SourcePodNotFound', message: 'm' } },
    'Ungated',
    ['reportFailed'],
  ],
  [
    'a source that is not Ready',
    { source: { state: 'waiting', message: 'm' } },
    'Waiting',
    ['yieldTurn', 'note'],
  ],
  [
    'a source that is lost',
    { source: { state: 'lost', reason: 'SourcePodGone', message: 'm' } },
    'Waiting',
    ['reportFailed'],
  ],
  ['a ready source without a turn', { turn: { state: 'none' } }, 'Capturable', ['queue']],
  [
    'a ready source in the queue',
    { turn: { state: 'queued', place: 2, limit: 1 } },
    'Capturable',
    ['note'],
  ],
  ['a ready source without the lease', { lease: { state: 'none' } }, 'Capturable', ['takeLease']],
  [
    'a lease that somebody else holds',
    { lease: { state: 'elsewhere', message: 'm', againMilliseconds: 9 } },
    'Capturable',
    ['yieldTurn', 'note'],
  ],
  [
    'a lease that should have run out',
    { lease: { state: 'elsewhere', message: 'm', againMilliseconds: 0 } },
    'Capturable',
    ['takeLease'],
  ],
  [
    'a lease taken over',
    { lease: { state: 'held', takeoverUnannounced: true } },
    'Capturable',
    ['announceTakeover'],
  ],
  ['turn and lease', {}, 'Capturable', ['startWork']],
  [
    'three attempts cut short',
    { intent: { step: 'staging', attempt: 3, settled: true } },
    'Capturable',
    ['reportFailed'],
  ],
  ['a cancel before the capture', { content: cancelled }, 'Capturable', ['reportFailed']],
  [
    'a deadline before the capture',
    { deadlineLeftMilliseconds: 0 },
    'Capturable',
    ['reportFailed'],
  ],
  ['work that runs', { work: running }, 'Working', ['note']],
  ['a cancel while work runs', { work: running, content: cancelled }, 'Working', ['cancelWork']],
  [
    'a cancel that was passed on',
    { work: { ...running, cancelling: true }, content: cancelled },
    'Working',
    [],
  ],
  [
    'a deadline while work runs',
    { work: running, deadlineLeftMilliseconds: -1 },
    'Working',
    ['cancelWork'],
  ],
  [
    'work that failed',
    { work: { state: 'failed', reason: 'CheckpointFailed', message: 'm', sourceState: 'Running' } },
    'Failing',
    ['reportFailed'],
  ],
  [
    'work that failed while publishing',
    {
      work: { state: 'failed', reason: 'StorageFull', message: 'm', sourceState: 'Running' },
      intent: open('publishing'),
    },
    'Failing',
    ['discardArtifact', 'reportFailed'],
  ],
  ['an attempt of a dead agent', { intent: open('dumping') }, 'Unsettled', ['settle']],
  ['a dump of a dead agent', { intent: open('dumped') }, 'Resumable', ['startWork']],
  ['a publish of a dead agent', { intent: open('publishing') }, 'Resumable', ['startWork']],
  [
    'a cancelled publish of a dead agent',
    { intent: open('publishing'), content: cancelled },
    'Resumable',
    ['discardArtifact', 'reportFailed'],
  ],
  ['a published artifact', { intent: open('published') }, 'Published', ['reportReady']],
  [
    'a published artifact past the deadline',
    { intent: open('published'), deadlineLeftMilliseconds: -1 },
    'Published',
    ['reportReady'],
  ],
  [
    'a published artifact that was cancelled',
    { intent: open('published'), content: cancelled },
    'Published',
    ['discardArtifact', 'reportFailed'],
  ],
  [
    'an order that is Ready, still to be finished',
    {
      intent: open('published'),
      labelled: true,
      content: content({}, {}, isTrue('Ready', 'Captured')),
    },
    'Ended',
    ['sentinel', 'unlabel', 'dropStaging', 'releaseLease', 'closeIntent', 'forget'],
  ],
  [
    'an order that is Ready and finished',
    { content: content({}, {}, isTrue('Ready', 'Captured')) },
    'Ended',
    ['releaseLease', 'forget'],
  ],
  [
    'an order that failed while publishing',
    { intent: open('publishing'), content: content({}, {}, isTrue('Failed', 'StorageFull')) },
    'Ended',
    ['sentinel', 'discardArtifact', 'dropStaging', 'releaseLease', 'closeIntent', 'forget'],
  ],
  [
    'an order that somebody ended while work runs',
    { work: running, content: content({}, {}, isTrue('Failed', 'NodeLost')) },
    'Ended',
    ['cancelWork'],
  ],
  [
    'a Ready order that is deleted',
    { content: content({ deletionTimestamp: 'now' }, {}, isTrue('Ready', 'Captured')) },
    'Deleting',
    ['discardArtifact', 'reportDeleted', 'releaseLease', 'forget'],
  ],
  [
    'a Ready order that is deleted and retains',
    {
      content: content(
        { deletionTimestamp: 'now' },
        { deletionPolicy: 'Retain' },
        isTrue('Ready', 'Captured'),
      ),
    },
    'Deleting',
    ['reportDeleted', 'releaseLease', 'forget'],
  ],
  [
    'an order that is deleted while work runs',
    { work: running, content: content({ deletionTimestamp: 'now' }) },
    'Deleting',
    ['cancelWork'],
  ],
  [
    'an order that is deleted before its end',
    { lease: { state: 'none' }, content: content({ deletionTimestamp: 'now' }) },
    'Deleting',
    ['takeLease'],
  ],
];

describe('decide', () => {
  it.each(cases)('%s', (_name, change, phase, actions) => {
    const observed: Observed = { ...base, ...change };
    expect(phaseOf(observed)).toBe(phase);
    const done = decide(observed).filter((action) => action.do !== 'again');
    expect(done.map((action) => action.do)).toEqual(actions);
  });

  it('is tried in every phase', () => {
    expect(new Set(cases.map(([, , phase]) => phase))).toEqual(new Set(phases));
  });

  const noted = { stage: 'Freezing', reason: 'Freezing' } as const;

  it('writes no stage that has not lasted', () => {
    const note = { ...noted, forMilliseconds: 100, sinceReportMilliseconds: 9e9 };
    const actions = decide({ ...base, work: running, note });
    expect(actions).toContainEqual({ do: 'again', afterMilliseconds: 1400 });
    expect(actions.some((action) => action.do === 'reportStage')).toBe(false);
  });

  it('writes a stage that lasts, and progress at most every two seconds', () => {
    const note = { ...noted, forMilliseconds: 5000, sinceReportMilliseconds: 3000 };
    const actions = decide({ ...base, work: running, note });
    expect(actions.some((action) => action.do === 'reportStage')).toBe(true);
    const soon = decide({
      ...base,
      work: running,
      note: { ...note, sinceReportMilliseconds: 500 },
    });
    expect(soon.some((action) => action.do === 'reportStage')).toBe(false);
    expect(soon).toContainEqual({ do: 'again', afterMilliseconds: 1500 });
  });

  it('looks again at the deadline, whatever else happens', () => {
    expect(decide({ ...base, work: running })).toContainEqual({
      do: 'again',
      afterMilliseconds: 60_000,
    });
  });
});
