import { progressOf } from '../../core/api/conditions.ts';
import type { Decision } from '../../core/decision.ts';
import { attemptsOf } from './attempts.ts';
import { give, nothing, recheckMilliseconds, succeed } from './deciding.ts';
import type {
  ObservedPodRestore,
  PodRestoreAction,
  PodRestoreReport,
  RestoredPod,
  Verdict,
} from './observed.ts';

type Decided = Decision<PodRestoreAction>;

/** A restore that takes no longer than this is not followed step by step: it costs no write. */
const lastingMilliseconds = 3_000;
/** An agent may have restored a process that has ended since, and be about to say so. */
const lastWordMilliseconds = 5_000;
const backstopMilliseconds = 30_000;

/** Where the pod is, and the one thing that is waited for. */
function course({ message, pod, progress, reason }: RestoredPod) {
  const { nodeName } = pod.spec;
  if (nodeName === undefined) {
    const scheduled = pod.status.conditions.find(({ type }) => type === 'PodScheduled');
    const why = typeof scheduled?.message === 'string' ? ` ${scheduled.message}` : '';
    const said = `Pod ${pod.metadata.name} is not on a node yet.${why}`;
    return { phase: 'Scheduling', reason: 'WaitingForSchedule', message: said } as const;
  }
  if (reason === 'RestoreInProgress') {
    const step = progress?.step ?? 'Fetching';
    return { phase: step, reason: step, message: `On node ${nodeName}: ${message}.` } as const;
  }
  if (reason === '') {
    const said = `The agent of node ${nodeName} has not taken it up yet.`;
    return { phase: 'Fetching', reason: 'WaitingForAgent', message: said } as const;
  }
  // Waits for its container, or for the next one after a failed attempt.
  return { phase: 'Fetching', reason: 'WaitingForContainer', message } as const;
}

/** The pod has ended, and nobody has a last word to say about it. */
const isSpent = (observed: ObservedPodRestore, pod: RestoredPod): boolean =>
  pod.over && observed.sincePodOverMilliseconds >= lastWordMilliseconds;

/** A pod that ended is an attempt, also where no agent came to it. */
const attemptsWith = (pod: RestoredPod): number =>
  Math.max(attemptsOf(pod), pod.attemptsBefore + 1);

function endOf({ message, pod }: RestoredPod): string {
  const said = message === '' ? '' : ` ${message}`;
  return `Pod ${pod.metadata.name} ended (${pod.status.phase}) and was not restored.${said}`;
}

/** Why the pod will not be restored any more; undefined while it may. */
function verdictOf(observed: ObservedPodRestore, pod: RestoredPod): Verdict | undefined {
  const { restore, snapshot } = observed;
  const { deadlineSeconds, maxAttempts, snapshotName } = restore.spec;
  const { name } = pod.pod.metadata;
  if (pod.leaving) return podDeleted(name);
  if (pod.reason === 'RestoreIncompatible') {
    return { reason: 'RestoreIncompatible', message: pod.message };
  }
  if (pod.reason === 'RestoreFailed' && attemptsOf(pod) >= maxAttempts) {
    return { reason: 'RestoreFailed', message: pod.message };
  }
  if (isSpent(observed, pod) && attemptsWith(pod) >= maxAttempts) {
    return { reason: 'RestoreFailed', message: endOf(pod) };
  }
  const untouched = pod.reason !== 'RestoreInProgress';
  if (untouched && (snapshot.state === 'missing' || snapshot.state === 'replaced')) {
    const message = `PodSnapshot ${snapshotName} was deleted before pod ${name} was restored.`;
    return { reason: 'PodSnapshotDeleted', message };
  }
  if (untouched && snapshot.state === 'failed') {
    return { reason: 'PodSnapshotFailed', message: snapshot.message };
  }
  if (observed.leftMilliseconds > 0) return undefined;
  const message = `Not restored within ${deadlineSeconds} s. ${course(pod).message}`;
  return { reason: 'DeadlineExceeded', message };
}

const podDeleted = (name: string): Verdict => ({
  reason: 'PodDeleted',
  message: `Pod ${name} was deleted before it was restored.`,
});

/** Whether the status says all of it already. */
function isSaid({ restore }: ObservedPodRestore, report: PodRestoreReport): boolean {
  if (report.to !== 'Following') return false;
  const { status } = restore;
  const said = progressOf(status.conditions);
  return (
    status.phase === report.phase &&
    said?.reason === report.reason &&
    said.message === report.message &&
    status.attempts ===
      (report.pod.progress === undefined ? status.attempts : attemptsOf(report.pod))
  );
}

function goingOn(observed: ObservedPodRestore, pod: RestoredPod): Decided {
  const young = lastingMilliseconds - observed.podAgeMilliseconds;
  if (young > 0) return { actions: [], againAfterMilliseconds: young };
  const report: PodRestoreReport = { to: 'Following', pod, ...course(pod) };
  const soon = pod.over ? recheckMilliseconds : observed.leftMilliseconds;
  return {
    actions: isSaid(observed, report) ? [] : [{ do: 'report', report }],
    againAfterMilliseconds: Math.min(Math.max(soon, recheckMilliseconds), backstopMilliseconds),
  };
}

/** Attempts are left, and this pod makes none of them: its UID goes off the record, then it is replaced. */
function again(pod: RestoredPod): Decided {
  const report = { to: 'Again', attempts: attemptsWith(pod), message: endOf(pod) } as const;
  const event = { type: 'Warning', reason: 'RestoreFailed', note: endOf(pod) } as const;
  return { actions: [{ do: 'report', report, event }], againAfterMilliseconds: 0 };
}

/** The pod is on record: it is restored, or there is a reason why not, or it goes on. */
export function placed(observed: ObservedPodRestore): Decided {
  const { pod, podName } = observed;
  if (pod.state === 'unread') return nothing;
  if (pod.state !== 'ours') return give(podDeleted(podName));
  if (pod.object.restored) return succeed(pod.object);
  const verdict = verdictOf(observed, pod.object);
  if (verdict !== undefined) return give(verdict);
  return isSpent(observed, pod.object) ? again(pod.object) : goingOn(observed, pod.object);
}
