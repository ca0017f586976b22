import { expect, it } from 'vitest';
import { decide } from '../../../../controller/pod-restore/decide.ts';
import type {
  ObservedPodRestore,
  RestoredPod,
} from '../../../../controller/pod-restore/observed.ts';
import { base, plan, podOnNode, restoreWith, viewed } from '../support/pod-restore-observation.ts';

const inShort = (one: ObservedPodRestore): string => {
  const { actions } = decide(one);
  const report = actions.flatMap((action) => (action.do === 'report' ? [action.report] : []))[0];
  if (report !== undefined) return 'reason' in report ? `${report.to} ${report.reason}` : report.to;
  return actions.map((action) => action.do).join();
};

const ours = (change: Partial<RestoredPod>) => ({ step: 'Placed' as const, pod: viewed(change) });
const onNode = (change: Partial<RestoredPod>) => ours({ pod: podOnNode, ...change });
const foreign = { state: 'foreign', name: 'again', leaving: false } as const;
const failedSnapshot = { state: 'failed', message: 'no' } as const;
const old = { podAgeMilliseconds: 20_000 };
const cold = { step: 'Ending' as const, restore: restoreWith({ onFailure: 'ColdStart' }, true) };

it.each<readonly [string, string, Partial<ObservedPodRestore>]>([
  ['New: all is there', 'createPod', {}],
  ['New: the finalizer is not', 'addFinalizer', { restore: restoreWith({}, false) }],
  ['New: nothing known', '', { snapshot: { state: 'unread' } }],
  ['New: no plan yet', '', { plan: { state: 'unread' } }],
  [
    'New: found its pod on the way out',
    'Waiting WaitingForPredecessor',
    { pod: viewed({ leaving: true }) },
  ],
  ['New: found its pod', 'Placed', { pod: viewed() }],
  [
    'New: no snapshot',
    'Waiting WaitingForSnapshot',
    { snapshot: { state: 'missing', message: '' } },
  ],
  [
    'New: snapshot not Ready',
    'Waiting WaitingForSnapshot',
    { snapshot: { state: 'pending', message: '' } },
  ],
  [
    'New: snapshot failed',
    'Ending PodSnapshotFailed',
    { snapshot: { state: 'failed', message: '' } },
  ],
  ['New: snapshot replaced', 'Ending PodSnapshotDeleted', { snapshot: { state: 'replaced' } }],
  [
    'New: name taken',
    'Failed PodNameConflict',
    { pod: { state: 'foreign', name: 'again', leaving: false } },
  ],
  [
    'New: name not free yet',
    'Waiting WaitingForPredecessor',
    { pod: { state: 'foreign', name: 'again', leaving: true } },
  ],
  [
    'New: no such pod possible',
    'Failed InvalidSpec',
    { plan: { state: 'impossible', verdict: { reason: 'InvalidSpec', message: '' } } },
  ],
  ['New: pod refused', 'Failed PodRejected', { rejection: 'no' }],
  ['New: quota', 'Waiting WaitingForQuota', { quota: 'exceeded quota' }],
  ['New: no node', 'Waiting WaitingForNode', { plan: plan('none') }],
  ['New: too late', 'Ending DeadlineExceeded', { plan: plan('none'), leftMilliseconds: -1 }],
  ['Placed: young', '', ours({})],
  ['Placed: no node yet', 'Following WaitingForSchedule', { ...old, ...ours({}) }],
  ['Placed: restored', 'Restored', ours({ restored: true })],
  ['Placed: deleted', 'Ending PodDeleted', { step: 'Placed' }],
  ['Placed: being deleted', 'Ending PodDeleted', ours({ leaving: true })],
  [
    'Placed: another pod',
    'Ending PodDeleted',
    { step: 'Placed', pod: { state: 'foreign', name: 'again', leaving: false } },
  ],
  ['Placed: refused', 'Ending RestoreIncompatible', ours({ reason: 'RestoreIncompatible' })],
  ['Placed: attempts left', '', ours({ reason: 'RestoreFailed', progress: { attempts: 1 } })],
  [
    'Placed: no attempts left',
    'Ending RestoreFailed',
    ours({ reason: 'RestoreFailed', progress: { attempts: 2 } }),
  ],
  ['Placed: ended a moment ago', '', ours({ over: true })],
  [
    'Placed: ended, attempts left',
    'Again',
    { ...ours({ over: true }), sincePodOverMilliseconds: 9_000 },
  ],
  [
    'Placed: ended, the last attempt',
    'Ending RestoreFailed',
    { ...ours({ over: true, attemptsBefore: 1 }), sincePodOverMilliseconds: 9_000 },
  ],
  ['New: its pod has ended', 'deletePod', { pod: viewed({ over: true }) }],
  [
    'New: its pod was restored and has ended',
    'Placed',
    { pod: viewed({ over: true, restored: true }) },
  ],
  [
    'Placed: snapshot gone',
    'Ending PodSnapshotDeleted',
    { ...ours({}), snapshot: { state: 'missing', message: '' } },
  ],
  [
    'Placed: snapshot gone under way',
    '',
    { ...ours({ reason: 'RestoreInProgress' }), snapshot: { state: 'missing', message: '' } },
  ],
  ['Placed: too late', 'Ending DeadlineExceeded', { ...ours({}), leftMilliseconds: -1 }],
  [
    'Placed: snapshot failed',
    'Ending PodSnapshotFailed',
    { ...ours({}), snapshot: failedSnapshot },
  ],
  ['Placed: not looked at', '', { step: 'Placed', pod: { state: 'unread' } }],
  ['Placed: no word of an agent', 'Following WaitingForAgent', { ...old, ...onNode({}) }],
  [
    'Placed: container not there yet',
    'Following WaitingForContainer',
    { ...old, ...onNode({ reason: 'RestorePending' }) },
  ],
  [
    'Placed: fetching',
    'Following Fetching',
    { ...old, ...onNode({ reason: 'RestoreInProgress' }) },
  ],
  [
    'Placed: restoring',
    'Following Restoring',
    {
      ...old,
      ...onNode({ reason: 'RestoreInProgress', progress: { attempts: 1, step: 'Restoring' } }),
    },
  ],
  ['Ending: pod there', 'deletePod', { step: 'Ending', pod: viewed() }],
  ['Ending: pod leaving', '', { step: 'Ending', pod: viewed({ leaving: true }) }],
  [
    'Ending: pod leaving for ever',
    'Failed RestoreFailed',
    { step: 'Ending', pod: viewed({ leaving: true }), podOverdueMilliseconds: 400_000 },
  ],
  [
    'Ending cold: pod leaving for ever',
    'Failed RestoreFailed',
    { ...cold, pod: viewed({ leaving: true }), podOverdueMilliseconds: 400_000 },
  ],
  ['Ending: pod gone', 'Failed RestoreFailed', { step: 'Ending' }],
  ['Ending: restored after all', 'Restored', { step: 'Ending', pod: viewed({ restored: true }) }],
  ['Ending cold: pod gone', 'createPod', cold],
  ['Ending cold: made', 'StartedCold', { ...cold, pod: viewed({ cold: true }) }],
  [
    'Ending cold: impossible',
    'Failed RestoreFailed',
    { ...cold, plan: { state: 'impossible', verdict: { reason: 'NoTemplate', message: '' } } },
  ],
  ['Ending cold: refused', 'Failed RestoreFailed', { ...cold, rejection: 'no' }],
  ['Ending cold: quota', 'StillEnding WaitingForQuota', { ...cold, quota: 'exceeded quota' }],
  [
    'Ending cold: quota for ever',
    'Failed RestoreFailed',
    { ...cold, quota: 'exceeded quota', leftMilliseconds: -9e12 },
  ],
  [
    'Ending cold: name taken',
    'Failed RestoreFailed',
    { ...cold, pod: { state: 'foreign', name: 'again', leaving: false } },
  ],
  ['Ending cold: name not free yet', '', { ...cold, pod: { ...foreign, leaving: true } }],
  ['Ending cold: nothing known yet', '', { ...cold, plan: { state: 'unread' } }],
  ['Ending: pod not looked at', '', { step: 'Ending', pod: { state: 'unread' } }],
  [
    'Settled: its pod',
    '',
    { step: 'Settled', restore: restoreWith({}, true, 'Restored', 'pod-1'), pod: viewed() },
  ],
  [
    'Settled: another pod',
    'deletePod',
    { step: 'Settled', restore: restoreWith({}, true, 'Restored', 'pod-0'), pod: viewed() },
  ],
  [
    'Settled: another pod on the way out',
    '',
    {
      step: 'Settled',
      restore: restoreWith({}, true, 'Restored', 'pod-0'),
      pod: viewed({ leaving: true }),
    },
  ],
  [
    'Settled without a pod: one is there',
    'deletePod',
    { step: 'Settled', restore: restoreWith({}, true, 'Failed', 'pod-1'), pod: viewed() },
  ],
  [
    'Settled without a pod: one that was started cold',
    '',
    {
      step: 'Settled',
      restore: restoreWith({}, true, 'Failed', 'pod-1'),
      pod: viewed({ cold: true }),
    },
  ],
  ['Deleting: pod there', 'deletePod', { step: 'Deleting', pod: viewed() }],
  ['Deleting: restored', 'removeFinalizer', { step: 'Deleting', pod: viewed({ restored: true }) }],
  [
    'Deleting: was restored once',
    'removeFinalizer',
    { step: 'Deleting', restore: restoreWith({}, true, 'Restored'), pod: viewed() },
  ],
  ['Deleting: pod gone', 'removeFinalizer', { step: 'Deleting' }],
  [
    'Deleting: finalizer gone',
    '',
    { step: 'Deleting', restore: restoreWith({}, false), pod: viewed() },
  ],
])('%s: %s', (_name, expected, change) => {
  expect(inShort({ ...base, ...change })).toBe(expected);
});

it('what was said already is not said again', () => {
  const said = { ...base, ...old, ...onNode({ reason: 'RestorePending', message: 'waits' }) };
  const { restore } = said;
  const progressing = {
    ...{ type: 'Progressing', status: 'True' as const, reason: 'WaitingForContainer' },
    ...{ message: 'waits', lastTransitionTime: '' },
  };
  const status = { ...restore.status, phase: 'Fetching' as const, conditions: [progressing] };
  expect(inShort({ ...said, restore: { ...restore, status } })).toBe('');
});
