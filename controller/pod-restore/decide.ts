import { finalizers } from '../../core/api/names.ts';
import { verdictOf } from '../../core/api/pod-restore.ts';
import type { Decision } from '../../core/decision.ts';
import { ending } from './decide-ending.ts';
import { placed } from './decide-placed.ts';
import { fail, give, nothing, pin, recheckMilliseconds, wait } from './deciding.ts';
import type { ObservedPodRestore, PodRestoreAction, PodRestoreStep } from './observed.ts';
import { isStray } from './stray.ts';

type Rule = (observed: ObservedPodRestore) => Decision<PodRestoreAction>;

/** Longest time between two looks at one that waits: a backstop for lost events, and for agents that fall silent. */
const backstopMilliseconds = 15_000;

/** What the snapshot has to say; undefined where it is Ready. */
function waitForSnapshot(observed: ObservedPodRestore): Decision<PodRestoreAction> | undefined {
  const { restore, snapshot } = observed;
  const { snapshotName } = restore.spec;
  if (snapshot.state === 'ready') return undefined;
  if (snapshot.state === 'unread') return nothing;
  if (snapshot.state === 'replaced') {
    const message = `PodSnapshot ${snapshotName} was deleted, and another one has its name.`;
    return give({ reason: 'PodSnapshotDeleted', message });
  }
  const { message } = snapshot;
  if (snapshot.state === 'failed') return give({ reason: 'PodSnapshotFailed', message });
  return wait('Pending', { reason: 'WaitingForSnapshot', message }, backstopMilliseconds);
}

/** A pod of our name that is not ours. */
function nameTaken({ pod, podName }: ObservedPodRestore): Decision<PodRestoreAction> | undefined {
  if (pod.state === 'ours' && pod.object.leaving) return awaitLeaving(podName);
  if (pod.state !== 'foreign') return undefined;
  if (pod.leaving) return awaitLeaving(podName);
  const message = `Pod ${podName} exists and was not made by this PodRestore; set spec.podName, or delete that pod.`;
  return fail({ reason: 'PodNameConflict', message });
}

const awaitLeaving = (podName: string): Decision<PodRestoreAction> =>
  wait(
    'Pending',
    { reason: 'WaitingForPredecessor', message: `Waits for an earlier pod ${podName} to go.` },
    recheckMilliseconds,
  );

function fresh(observed: ObservedPodRestore): Decision<PodRestoreAction> {
  const { plan, pod, podName, restore } = observed;
  const waiting = waitForSnapshot(observed) ?? nameTaken(observed);
  if (waiting !== undefined) return waiting;
  if (plan.state === 'unread' || pod.state === 'unread') return nothing;
  if (plan.state === 'impossible') return fail(plan.verdict);
  if (observed.rejection !== undefined) {
    const message = `The API server refused pod ${podName}: ${observed.rejection}`;
    return fail({ reason: 'PodRejected', message });
  }
  const { candidates } = plan;
  if (observed.quota !== undefined) {
    const message = `The API server does not take pod ${podName} yet: ${observed.quota}`;
    const progressing = { reason: 'WaitingForQuota', message } as const;
    return wait('Pending', progressing, backstopMilliseconds, candidates);
  }
  if (plan.nowhere !== undefined) {
    const progressing = { reason: 'WaitingForNode', message: plan.nowhere } as const;
    return wait('Scheduling', progressing, backstopMilliseconds, candidates);
  }
  // Before the pod: a PodRestore that is deleted from here on does not go before it has looked for its pod.
  if (!restore.metadata.finalizers.includes(finalizers.restore)) {
    return { actions: [{ do: 'addFinalizer' }] };
  }
  return { actions: [{ do: 'createPod', pod: plan.pod }] };
}

/** Nothing is waited for beyond the deadline; what it was stands in the message. */
function freshInTime(observed: ObservedPodRestore): Decision<PodRestoreAction> {
  const { leftMilliseconds, plan, pod, restore } = observed;
  const found = pod.state === 'ours' && !pod.object.leaving ? pod.object : undefined;
  // Of an attempt that is over; where it is ours and has ended unseen, it was none.
  if (found?.over === true && !found.restored) {
    const actions = [{ do: 'deletePod', pod: found.pod } as const];
    return { actions, againAfterMilliseconds: recheckMilliseconds };
  }
  // Found after a crash between its create and the record of it; from here on its own course counts.
  if (found !== undefined) {
    return pin(found.pod, plan.state === 'made' ? plan.candidates : undefined);
  }
  const decision = fresh(observed);
  const said = decision.actions.flatMap((one) =>
    one.do === 'report' && one.report.to === 'Waiting' ? [one.report] : [],
  )[0];
  if (said === undefined) return decision;
  if (leftMilliseconds > 0) {
    const { againAfterMilliseconds = backstopMilliseconds } = decision;
    const left = Math.max(leftMilliseconds, recheckMilliseconds);
    return { ...decision, againAfterMilliseconds: Math.min(againAfterMilliseconds, left) };
  }
  const message = `Not restored within ${restore.spec.deadlineSeconds} s. ${said.message}`;
  return give({ reason: 'DeadlineExceeded', message });
}

/** A pod that runs again is somebody's work, and stays; one that could still come to life goes first. */
function deleting({ pod, restore }: ObservedPodRestore): Decision<PodRestoreAction> {
  if (!restore.metadata.finalizers.includes(finalizers.restore)) return nothing;
  const { phase } = restore.status;
  const isKept = phase === 'Restored' || phase === 'StartedCold';
  const found = pod.state === 'ours' ? pod.object : undefined;
  if (found !== undefined && !isKept && !found.leaving && !found.restored && !found.cold) {
    return {
      actions: [{ do: 'deletePod', pod: found.pod }],
      againAfterMilliseconds: recheckMilliseconds,
    };
  }
  return { actions: [{ do: 'removeFinalizer' }] };
}

/** An end. What is left to do is to clear away a pod that is not the one on record. */
function settled({ pod, restore }: ObservedPodRestore): Decision<PodRestoreAction> {
  if (pod.state !== 'ours' || !isStray(restore, pod.object.pod)) return nothing;
  const { cold, leaving, restored, pod: stray } = pod.object;
  if (cold || leaving || restored) return nothing;
  return {
    actions: [{ do: 'deletePod', pod: stray }],
    againAfterMilliseconds: recheckMilliseconds,
  };
}

/** One rule for each step. */
export const rules = {
  New: freshInTime,
  Placed: placed,
  Ending: (observed) => ending(observed, verdictOf(observed.restore)),
  Settled: settled,
  Deleting: deleting,
} satisfies Record<PodRestoreStep, Rule>;

/** Pure and total: what to do about a PodRestore. */
export function decide(observed: ObservedPodRestore): Decision<PodRestoreAction> {
  return rules[observed.step](observed);
}
