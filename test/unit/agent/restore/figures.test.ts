import { describe, expect, it } from 'vitest';
import { figuresOf, maximumAttemptsOf } from '../../../../agent/restore/figures.ts';
import type { Sight } from '../../../../agent/restore/observe.ts';
import { annotations } from '../../../../core/api/names.ts';
import {
  restoreProgressCondition,
  restoreProgressMessage,
  restoreProgressOf,
} from '../../../../core/api/restore-progress.ts';
import { parsePod } from '../../../../core/api/workload.ts';

const podWith = (restarts: number, annotated: Readonly<Record<string, string>> = {}) => {
  const parsed = parsePod({
    metadata: { name: 'again', annotations: annotated },
    spec: { containers: [{ name: 'main' }, { name: 'sidecar' }] },
    status: {
      containerStatuses: [
        { name: 'main', restartCount: restarts },
        { name: 'sidecar', restartCount: 9 },
      ],
    },
  });
  if (!parsed.ok) throw new Error(parsed.message);
  return parsed.value;
};
const sight = (restarts: number, observed: Partial<Sight['observed']> = {}): Sight => ({
  observed: {
    pod: { over: false, problems: [] },
    snapshot: { state: 'ready', containers: ['main'] },
    placeholder: { state: 'ready', restarts },
    work: { state: 'none' },
    condition: undefined,
    maximumAttempts: 3,
    replaced: false,
    ...observed,
  },
  pod: podWith(restarts),
  content: undefined,
  targets: [{ name: 'main', state: 'ready', ticks: 1, init: undefined }],
});

describe('the figures of a restore', () => {
  it('count the containers that were tried: each restart is an attempt', () => {
    expect(figuresOf(sight(0), 'RestorePending')).toEqual({ attempts: 0 });
    expect(figuresOf(sight(1), 'RestoreFailed')).toEqual({ attempts: 2 });
    // The one that is refused is none.
    expect(figuresOf(sight(3), 'RestoreFailed')).toEqual({ attempts: 3 });
  });

  it('say what the attempt is at', () => {
    expect(figuresOf(sight(0), 'RestoreInProgress')).toEqual({ attempts: 1, step: 'Fetching' });
    const begun = sight(0, { placeholder: { state: 'begun' } });
    expect(figuresOf(begun, 'RestoreInProgress')).toEqual({ attempts: 1, step: 'Restoring' });
  });

  it('have what was measured, and come back as they were written', () => {
    const figures = { bytesFetched: 10, restoreMilliseconds: 80 };
    const told = figuresOf(
      sight(0, { work: { state: 'restored', message: '', figures } }),
      'RestoreSucceeded',
    );
    expect(told).toEqual({ attempts: 1, ...figures });
    const said = (message: string) => {
      const condition = { type: restoreProgressCondition, status: 'True', message };
      return restoreProgressOf({ status: { ...podWith(0).status, conditions: [condition] } });
    };
    expect(said(restoreProgressMessage(told))).toEqual(told);
    expect(said('{"attempts":-1}')).toBeUndefined();
    expect(said('none')).toBeUndefined();
    expect(restoreProgressOf(podWith(0))).toBeUndefined();
  });
});

it.each([
  [undefined, 3],
  ['5', 5],
  ['999', 100],
  ['0', 3],
  ['-1', 3],
  ['many', 3],
])('a pod annotated with %s may be restored into %i times', (text, attempts) => {
  const annotated = text === undefined ? {} : { [annotations.restoreMaximumAttempts]: text };
  expect(maximumAttemptsOf(podWith(0, annotated))).toBe(attempts);
});
