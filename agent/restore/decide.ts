import type { RestoreReason } from '../../core/api/restore.ts';
import type { Action, Observed } from './observed.ts';

/** Where a restore stands for this process; derived from facts on every round. */
export const phases = [
  'Gone',
  'Over',
  'Working',
  'Unfit',
  'Restored',
  'Postponed',
  'Lost',
  'Refused',
  'Failed',
  'Cut',
  'Pending',
  'Startable',
] as const;
export type Phase = (typeof phases)[number];

const lookAgainMilliseconds = 2000;

/** The phase of an observation; the order of the questions is the meaning. */
export function phaseOf(o: Observed): Phase {
  if (o.pod === undefined) return 'Gone';
  if (o.pod.over) return 'Over';
  if (o.work.state === 'running') return 'Working';
  // What is told in the control directory counts before everything that could have changed since.
  if (o.work.state === 'restored' || o.placeholder.state === 'complete') return 'Restored';
  if (o.pod.problems.length > 0) return 'Unfit';
  if (o.work.state === 'failed')
    return o.work.reason === 'RestoreIncompatible' ? 'Refused' : 'Lost';
  if (o.work.state === 'postponed') return 'Postponed';
  if (o.placeholder.state === 'failed') return 'Failed';
  if (o.placeholder.state === 'begun') return 'Cut';
  if (o.snapshot.state !== 'ready' || o.placeholder.state === 'waiting') return 'Pending';
  return 'Startable';
}

const again: Action = { do: 'again', afterMilliseconds: lookAgainMilliseconds };

/** The condition, written only when it says something new. */
function report(
  o: Observed,
  status: 'True' | 'False',
  reason: RestoreReason,
  message: string,
): readonly Action[] {
  const { condition } = o;
  const same =
    condition?.status === status && condition.reason === reason && condition.message === message;
  return same ? [] : [{ do: 'report', status, reason, message }];
}

/** A restored pod that is told again by a restarted agent keeps what the first one said. */
function restored(o: Observed): readonly Action[] {
  if (o.condition?.status === 'True' && o.work.state !== 'restored') return [];
  const message =
    o.work.state === 'restored' ? o.work.message : 'the process runs from its snapshot';
  return report(o, 'True', 'RestoreSucceeded', message);
}

function startable(o: Observed): readonly Action[] {
  const restarts = o.placeholder.state === 'ready' ? o.placeholder.restarts : 0;
  if (restarts >= o.maximumAttempts) {
    const message = `${o.maximumAttempts} containers of the pod were restored into, or tried; no more are`;
    return [...report(o, 'False', 'RestoreFailed', message), { do: 'fail', message }];
  }
  return [{ do: 'start' }, again];
}

const rules = {
  Gone: (o) => [
    { do: 'cancel' },
    { do: 'forget' },
    ...(o.replaced ? [{ do: 'again', afterMilliseconds: 0 } as const] : []),
  ],
  // What was restored and has ended since was restored all the same.
  Over: (o) => [...(o.work.state === 'restored' ? restored(o) : []), { do: 'cancel' }],
  // Most restores are over before anybody could read that they go on; each word of it costs API server and kubelet as much as a restore.
  Working: (o) =>
    o.work.state === 'running' && o.work.progress !== undefined
      ? report(o, 'False', 'RestoreInProgress', o.work.progress)
      : [],
  Unfit: (o) =>
    report(
      o,
      'False',
      'RestoreIncompatible',
      `not a placeholder: ${o.pod?.problems.join('; ') ?? ''}`,
    ),
  Restored: restored,
  Postponed: (o) =>
    o.work.state === 'postponed'
      ? [...report(o, 'False', 'RestorePending', o.work.message), again]
      : [],
  // Told first, so that the reason is on record when the container ends.
  Lost: (o) =>
    o.work.state === 'failed'
      ? [
          ...report(o, 'False', 'RestoreFailed', o.work.message),
          { do: 'fail', message: o.work.message },
          { do: 'endPlaceholder' },
        ]
      : [],
  Refused: (o) =>
    o.work.state === 'failed' ? report(o, 'False', 'RestoreIncompatible', o.work.message) : [],
  Failed: () => [],
  Cut: (o) => {
    const message = 'the agent ended in the middle of a restore; the placeholder is started afresh';
    return [
      ...report(o, 'False', 'RestoreFailed', message),
      { do: 'fail', message },
      { do: 'endPlaceholder' },
    ];
  },
  Pending: (o) => {
    if (o.snapshot.state === 'unusable') {
      return [...report(o, 'False', 'RestoreIncompatible', o.snapshot.message), again];
    }
    const message =
      o.snapshot.state === 'pending'
        ? o.snapshot.message
        : o.placeholder.state === 'waiting'
          ? o.placeholder.message
          : '';
    const ahead: readonly Action[] =
      o.snapshot.state === 'ready' ? [{ do: 'watch' }, { do: 'fetchAhead' }] : [];
    // Why the last attempt failed stays told until the next one begins.
    const failed = o.condition?.reason === 'RestoreFailed' && o.placeholder.state === 'waiting';
    return [...ahead, ...(failed ? [] : report(o, 'False', 'RestorePending', message)), again];
  },
  Startable: startable,
} as const satisfies Record<Phase, (o: Observed) => readonly Action[]>;

/** What to do next; pure and total. */
export const decide = (o: Observed): readonly Action[] => rules[phaseOf(o)](o);
