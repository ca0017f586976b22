import { progressOf } from '../../core/api/conditions.ts';
import type { Decision } from '../../core/decision.ts';
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

/** Why the pod will not be restored any more; undefined while it may. */
function verdictOf(observed: ObservedPodRestore, pod: RestoredPod): Verdict | undefined {
  const { restore, snapshot } = observed;
  const { deadlineSeconds, maxAttempts, snapshotName } = restore.spec;
  const { metadata, status } = pod.pod;
  const { name } = metadata;
  if (pod.leaving) return podDeleted(name);
  if (pod.reason === 'RestoreIncompatible') {
    return { reason: 'RestoreIncompatible', message: pod.message };
  }
  if (pod.reason === 'RestoreFailed' && (pod.progress?.attempts ?? 0) >= maxAttempts) {
    return { reason: 'RestoreFailed', message: pod.message };
  }
  if (pod.over && observed.sincePodOverMilliseconds >= lastWordMilliseconds) {
    const said = pod.message === '' ? '' : ` ${pod.message}`;
    const message = `Pod ${name} ended (${status.phase}) and was not restored.${said}`;
    return { reason: 'RestoreFailed', message };
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
    status.attempts === (report.pod.progress?.attempts ?? status.attempts)
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

/** The pod is on record: it is restored, or there is a reason why not, or it goes on. */
export function placed(observed: ObservedPodRestore): Decided {
  const { pod, podName } = observed;
  if (pod.state === 'unread') return nothing;
  if (pod.state !== 'ours') return give(podDeleted(podName));
  if (pod.object.restored) return succeed(pod.object);
  const verdict = verdictOf(observed, pod.object);
  return verdict === undefined ? goingOn(observed, pod.object) : give(verdict);
}
