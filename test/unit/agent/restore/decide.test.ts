import { describe, expect, it } from 'vitest';
import { decide, type Phase, phaseOf, phases } from '../../../../agent/restore/decide.ts';
import type { Action, Observed } from '../../../../agent/restore/observed.ts';

const base: Observed = {
  pod: { over: false, problems: [] },
  snapshot: { state: 'ready', containers: ['main'] },
  placeholder: { state: 'ready', restarts: 0 },
  work: { state: 'none' },
  condition: undefined,
  maximumAttempts: 3,
  replaced: false,
};
const failed = (reason: 'RestoreFailed' | 'RestoreIncompatible'): Observed => ({
  ...base,
  work: { state: 'failed', reason, message: 'why' },
});

/** One observation a phase; the test below holds that none is forgotten. */
const cases: Readonly<Record<Phase, Observed>> = {
  Gone: { ...base, pod: undefined },
  Over: { ...base, pod: { over: true, problems: [] } },
  Working: { ...base, work: { state: 'running' } },
  Unfit: { ...base, pod: { over: false, problems: ['no gate'] } },
  Restored: { ...base, work: { state: 'restored', message: 'in 1 s', figures: {} } },
  Postponed: { ...base, work: { state: 'postponed', message: 'no space left' } },
  Lost: failed('RestoreFailed'),
  Refused: failed('RestoreIncompatible'),
  Failed: { ...base, placeholder: { state: 'failed' } },
  Cut: { ...base, placeholder: { state: 'begun' } },
  Pending: { ...base, snapshot: { state: 'pending', message: 'not yet' } },
  Startable: base,
};
const names = (o: Observed): readonly string[] => decide(o).map((action) => action.do);
const reported = (o: Observed): string | undefined => {
  const found = decide(o).find((action) => action.do === 'report');
  return found?.do === 'report' ? `${found.status}/${found.reason}: ${found.message}` : undefined;
};

describe('a restore', () => {
  it.each(phases)('in phase %s is recognised', (phase) => {
    expect(phaseOf(cases[phase])).toBe(phase);
  });

  it('starts when snapshot and placeholder are ready, and is told of only when it lasts', () => {
    expect(names(base)).toEqual(['start', 'again']);
    const lasting: Observed = { ...base, work: { state: 'running', progress: 'at it' } };
    expect(reported(lasting)).toBe('False/RestoreInProgress: at it');
    expect(decide(cases.Working)).toEqual([]);
  });

  it('says nothing twice', () => {
    const said = { status: 'False', reason: 'RestoreInProgress', message: 'at it' };
    const work = { state: 'running', progress: 'at it' } as const;
    expect(names({ ...base, work, condition: said })).toEqual([]);
  });

  it('tells how far it is where there is something to tell, each time once', () => {
    expect(decide(cases.Working)).toEqual([]);
    const o: Observed = { ...base, work: { state: 'running', progress: '4 of 8 MiB' } };
    expect(reported(o)).toBe('False/RestoreInProgress: 4 of 8 MiB');
    const said = { status: 'False', reason: 'RestoreInProgress', message: '4 of 8 MiB' };
    expect(decide({ ...o, condition: said })).toEqual([]);
  });

  it('starts for no pod that is not a placeholder, however ready all else is', () => {
    expect(names(cases.Unfit)).toEqual(['report']);
    expect(reported(cases.Unfit)).toBe('False/RestoreIncompatible: not a placeholder: no gate');
  });

  it('waits for a snapshot that is not Ready and looks again, without an end', () => {
    expect(decide(cases.Pending)).toContainEqual({ do: 'again', afterMilliseconds: 2000 });
    expect(reported(cases.Pending)).toBe('False/RestorePending: not yet');
  });

  it('fetches, and waits to be told, while its placeholder is not there', () => {
    const waiting = { state: 'waiting', message: 'it does not run' } as const;
    expect(names({ ...base, placeholder: waiting })).toEqual([
      'watch',
      'fetchAhead',
      'report',
      'again',
    ]);
    expect(names(cases.Pending)).toEqual(['report', 'again']);
  });

  it('that failed keeps its reason until the next container waits', () => {
    const waiting = { state: 'waiting', message: 'it does not run' } as const;
    const condition = { status: 'False', reason: 'RestoreFailed', message: 'criu' };
    expect(names({ ...base, placeholder: waiting, condition })).not.toContain('report');
    const work = { state: 'running', progress: 'at it' } as const;
    expect(reported({ ...base, work, condition })).toBe('False/RestoreInProgress: at it');
  });

  it('of a snapshot that cannot be used is refused with its reason, and looks again in case it appears', () => {
    const o: Observed = { ...base, snapshot: { state: 'unusable', message: 'does not exist' } };
    expect(reported(o)).toBe('False/RestoreIncompatible: does not exist');
    expect(names(o)).toContain('again');
  });

  it('that failed is told before its placeholder is ended', () => {
    expect(names(cases.Lost)).toEqual(['report', 'fail', 'endPlaceholder']);
  });

  it('that something outside of the pod is in the way of is told, and leaves the placeholder alone', () => {
    expect(names(cases.Postponed)).toEqual(['report', 'again']);
    expect(reported(cases.Postponed)).toBe('False/RestorePending: no space left');
  });

  it('that was refused leaves the placeholder alone', () => {
    expect(names(cases.Refused)).toEqual(['report']);
  });

  it('is told as done also where the pod has ended since', () => {
    expect(reported({ ...cases.Restored, pod: { over: true, problems: [] } })).toBe(
      'True/RestoreSucceeded: in 1 s',
    );
  });

  it('whose agent died in the middle ends the half-made placeholder', () => {
    expect(names(cases.Cut)).toEqual(['report', 'fail', 'endPlaceholder']);
  });

  it('whose agent died after the last mark is told as done, and never done again', () => {
    const o: Observed = { ...base, placeholder: { state: 'complete' } };
    expect(reported(o)).toBe('True/RestoreSucceeded: the process runs from its snapshot');
    expect(names(o)).not.toContain('start');
    const told = { status: 'True', reason: 'RestoreSucceeded', message: 'in 1 s' };
    expect(decide({ ...o, condition: told })).toEqual([]);
  });

  it('is tried no more often than it may be', () => {
    const o: Observed = { ...base, placeholder: { state: 'ready', restarts: 3 } };
    expect(names(o)).toEqual(['report', 'fail']);
  });

  it('is cancelled when its pod ends or is replaced, and a new pod of the name is looked at at once', () => {
    expect(names(cases.Over)).toEqual(['cancel']);
    expect(names({ ...cases.Gone, replaced: true })).toEqual(['cancel', 'forget', 'again']);
  });

  it('starts only where nothing is under way, begun, told or refused', () => {
    const starting = phases.filter((phase) => names(cases[phase]).includes('start'));
    expect(starting).toEqual(['Startable']);
    const ending = phases.filter((phase) =>
      decide(cases[phase]).some((action: Action) => action.do === 'endPlaceholder'),
    );
    expect(ending).toEqual(['Lost', 'Cut']);
  });
});
