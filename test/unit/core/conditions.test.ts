import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type Conditions,
  findCondition,
  isTrue,
  readyAndFailed,
  timestamp,
  withCondition,
} from '../../../core/api/conditions.ts';

const early = '2026-01-01T00:00:00Z';
const late = '2026-01-01T00:00:09Z';
const waiting = {
  type: 'Progressing',
  status: 'True',
  reason: 'Queued',
  message: '2 of 3',
} as const;

const outcome = fc.oneof(
  fc.record({ state: fc.constant('pending' as const), message: fc.string() }),
  fc.record({ state: fc.constant('ready' as const), message: fc.string() }),
  fc.record({
    state: fc.constant('failed' as const),
    reason: fc.constantFrom('CheckpointFailed', 'Cancelled'),
    message: fc.string(),
  }),
);

describe('withCondition', () => {
  it('adds a condition that was absent', () => {
    expect(withCondition([], waiting, early)).toEqual([{ ...waiting, lastTransitionTime: early }]);
  });

  it('returns the same list when nothing changed, so that no write is needed', () => {
    const before = withCondition([], waiting, early);
    expect(withCondition(before, waiting, late)).toBe(before);
  });

  it('keeps the transition time when only reason or message change', () => {
    const before = withCondition([], waiting, early);
    const after = withCondition(before, { ...waiting, message: '1 of 3' }, late);
    expect(after).toEqual([{ ...waiting, message: '1 of 3', lastTransitionTime: early }]);
  });

  it('moves the transition time when the status changes', () => {
    const before = withCondition([], waiting, early);
    const after = withCondition(before, { ...waiting, status: 'False' }, late);
    expect(findCondition(after, 'Progressing')?.lastTransitionTime).toBe(late);
  });

  it('leaves conditions of other types as they are, in their order', () => {
    const other = { ...waiting, type: 'Ready', lastTransitionTime: early };
    const after = withCondition([other], waiting, late);
    expect(after.map((condition) => condition.type)).toEqual(['Ready', 'Progressing']);
    expect(after[0]).toBe(other);
  });

  it('cuts a message that the API server would refuse, and says that it did', () => {
    const [cut] = withCondition([], { ...waiting, message: 'x'.repeat(40_000) }, early);
    expect(cut?.message).toHaveLength(32_768);
    expect(cut?.message.endsWith('…')).toBe(true);
  });

  it('finds a cut message unchanged the next time', () => {
    const long = { ...waiting, message: 'x'.repeat(40_000) };
    const before = withCondition([], long, early);
    expect(withCondition(before, long, late)).toBe(before);
  });

  it('never cuts a character in two', () => {
    const [cut] = withCondition([], { ...waiting, message: '🧊'.repeat(20_000) }, early);
    expect(cut?.message.isWellFormed()).toBe(true);
  });
});

describe('readyAndFailed', () => {
  it('says Ready=False/Pending and nothing of Failed while pending', () => {
    const pending = readyAndFailed([], { state: 'pending', message: 'on its way' }, early);
    expect(pending).toEqual([
      {
        type: 'Ready',
        status: 'False',
        reason: 'Pending',
        message: 'on its way',
        lastTransitionTime: early,
      },
    ]);
  });

  it('gives both conditions the reason of a failure', () => {
    const failed = readyAndFailed(
      [],
      { state: 'failed', reason: 'CheckpointFailed', message: 'no' },
      early,
    );
    expect(failed.map(({ type, status, reason }) => [type, status, reason])).toEqual([
      ['Ready', 'False', 'CheckpointFailed'],
      ['Failed', 'True', 'CheckpointFailed'],
    ]);
  });

  it('never says Ready and Failed at once, whatever came before', () =>
    fc.assert(
      fc.property(fc.array(outcome), (outcomes) => {
        let conditions: Conditions = [];
        for (const next of outcomes) {
          if (next.state === 'pending' && isTrue(conditions, 'Failed')) continue;
          conditions = readyAndFailed(conditions, next, early);
          expect(isTrue(conditions, 'Ready') && isTrue(conditions, 'Failed')).toBe(false);
        }
      }),
    ));

  it('has each type at most once, whatever came before', () =>
    fc.assert(
      fc.property(fc.array(outcome), (outcomes) => {
        const end = outcomes.reduce<Conditions>(
          (conditions, next) => readyAndFailed(conditions, next, early),
          [],
        );
        expect(new Set(end.map((condition) => condition.type)).size).toBe(end.length);
      }),
    ));

  it('is settled after one round: the same outcome again changes nothing', () =>
    fc.assert(
      fc.property(outcome, (next) => {
        const once = readyAndFailed([], next, early, 3);
        expect(readyAndFailed(once, next, late, 3)).toBe(once);
      }),
    ));
});

describe('timestamp', () => {
  it('has whole seconds, as metav1.Time does', () => {
    expect(timestamp(Date.UTC(2026, 10, 22, 23, 5, 7, 999))).toBe('2026-11-22T23:05:07Z');
  });
});
