import { type WantedCondition, withConditions } from '../../core/api/conditions.ts';
import { annotations } from '../../core/api/names.ts';
import type { PodRestore } from '../../core/api/pod-restore.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { attemptsOf } from './attempts.ts';
import type { PodRestoreReport, RestoredPod } from './observed.ts';
import { podNameOf } from './pod-view.ts';

const pending: WantedCondition = ['Ready', 'False', 'Pending', 'Not restored yet.'];
const open: WantedCondition = ['Restored', 'False', 'Pending', 'Not restored yet.'];

/** What the agent of the pod's node measured. */
const figuresOf = (one: RestoredPod): RawObject => {
  const { pod, progress } = one;
  const { bytesFetched, restoreMilliseconds } = progress ?? {};
  const attempts = progress === undefined ? undefined : attemptsOf(one);
  const { nodeName } = pod.spec;
  return Object.fromEntries(
    Object.entries({ nodeName, attempts, bytesFetched, restoreMilliseconds }).filter(
      ([, value]) => value !== undefined,
    ),
  );
};

/** The end of a restore that has a pod to show for it. */
const ended = (
  restore: PodRestore,
  outcome: { readonly reason: 'RestoreSucceeded' | 'StartedCold'; readonly message: string },
  now: string,
): RawObject => {
  const { message, reason } = outcome;
  const isRestored = reason === 'RestoreSucceeded';
  const wanted: readonly WantedCondition[] = [
    ['Restored', isRestored ? 'True' : 'False', reason, message],
    ['Failed', 'False', reason, ''],
    ['Progressing', 'False', reason, ''],
    ['Ready', 'True', reason, message],
  ];
  return { completedAt: now, conditions: withConditions(restore, wanted, now) };
};

type Changes = {
  readonly [To in PodRestoreReport['to']]: (
    restore: PodRestore,
    report: Extract<PodRestoreReport, { to: To }>,
    now: string,
  ) => RawObject;
};

const changes: Changes = {
  Waiting: (restore, { candidates, message, phase, reason }, now) => ({
    phase,
    podName: podNameOf(restore),
    ...(candidates === undefined ? {} : { candidates }),
    conditions: withConditions(
      restore,
      [open, pending, ['Progressing', 'True', reason, message]],
      now,
    ),
  }),
  Placed: (restore, { candidates, pod }, now) => {
    const { name, uid } = pod.metadata;
    const snapshotUID = pod.metadata.annotations[annotations.restoreFromUID];
    const message = `Pod ${name} waits for its processes.`;
    const wanted: readonly WantedCondition[] = [
      ['Restored', 'False', 'RestoreInProgress', message],
      pending,
      ['Progressing', 'True', 'WaitingForSchedule', `Pod ${name} is made and has no node yet.`],
    ];
    return {
      phase: 'Scheduling',
      ...{ podName: name, podUID: uid },
      ...(snapshotUID === undefined ? {} : { snapshotUID }),
      ...(candidates === undefined ? {} : { candidates }),
      conditions: withConditions(restore, wanted, now),
    };
  },
  Following: (restore, { message, phase, pod, reason }, now) => ({
    phase,
    ...figuresOf(pod),
    conditions: withConditions(restore, [['Progressing', 'True', reason, message]], now),
  }),
  Again: (restore, { attempts, message }, now) => {
    const wanted: readonly WantedCondition[] = [
      open,
      pending,
      ['Progressing', 'True', 'WaitingForPredecessor', message],
    ];
    const cleared = { phase: 'Pending', podUID: null, nodeName: null };
    return { ...cleared, attempts, conditions: withConditions(restore, wanted, now) };
  },
  Ending: (restore, { message, reason }, now) => {
    const next =
      restore.spec.onFailure === 'ColdStart'
        ? (['StartingCold', 'The restore failed; a fresh pod takes its place.'] as const)
        : (['RemovingPlaceholder', 'The restore failed; its pod is removed.'] as const);
    const wanted: readonly WantedCondition[] = [
      ['Restored', 'False', reason, message],
      pending,
      ['Progressing', 'True', ...next],
    ];
    return {
      phase: restore.status.phase ?? 'Pending',
      podName: podNameOf(restore),
      conditions: withConditions(restore, wanted, now),
    };
  },
  StillEnding: (restore, { message, reason }, now) => ({
    conditions: withConditions(restore, [['Progressing', 'True', reason, message]], now),
  }),
  Restored: (restore, { pod }, now) => ({
    phase: 'Restored',
    ...figuresOf(pod),
    ...ended(restore, { reason: 'RestoreSucceeded', message: pod.message }, now),
  }),
  StartedCold: (restore, { message, pod }, now) => ({
    phase: 'StartedCold',
    podUID: pod.metadata.uid,
    // Of the placeholder; where the fresh pod is, the pod itself says.
    nodeName: pod.spec.nodeName ?? null,
    ...ended(restore, { reason: 'StartedCold', message }, now),
  }),
  Failed: (restore, { message, reason }, now) => {
    const wanted: readonly WantedCondition[] = [
      ['Restored', 'False', reason, message],
      ['Failed', 'True', reason, message],
      ['Progressing', 'False', reason, ''],
      ['Ready', 'False', reason, message],
    ];
    return {
      phase: 'Failed',
      podName: podNameOf(restore),
      completedAt: now,
      conditions: withConditions(restore, wanted, now),
    };
  },
};

const same = (left: unknown, right: unknown): boolean =>
  JSON.stringify(left) === JSON.stringify(right);

/** The merge patch that makes the status of a PodRestore say what is reported; undefined when it says so already. */
export function statusPatch(
  restore: PodRestore,
  report: PodRestoreReport,
  now: string,
): RawObject | undefined {
  // The table is typed by report; the one cast of a dispatch.
  const change = changes[report.to] as (
    restore: PodRestore,
    report: PodRestoreReport,
    now: string,
  ) => RawObject;
  const wanted: RawObject = {
    ...change(restore, report, now),
    observedGeneration: restore.metadata.generation,
  };
  const status: RawObject = restore.status;
  const fields = Object.entries(wanted).filter(
    ([field, value]) => !same(value, status[field] ?? (value === null ? null : undefined)),
  );
  return fields.length === 0 ? undefined : Object.fromEntries(fields);
}
