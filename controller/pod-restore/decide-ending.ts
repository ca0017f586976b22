import type { Pod } from '../../core/api/workload.ts';
import type { Decision } from '../../core/decision.ts';
import { fail, nothing, recheckMilliseconds, succeed } from './deciding.ts';
import type { ObservedPodRestore, PodRestoreAction, Verdict } from './observed.ts';

type Decided = Decision<PodRestoreAction>;

const quotaRecheckMilliseconds = 15_000;
/** The watch of our pods tells sooner. */
const leavingRecheckMilliseconds = 5_000;
/** A pod that should have gone this long ago is on a node that does not answer. */
const nodeLostMilliseconds = 300_000;

const cold = (pod: Pod, why: Verdict): Decided => {
  const { name } = pod.metadata;
  const message = `The restore failed (${why.reason}): ${why.message} Pod ${name} was started from the beginning, as spec.onFailure asked.`;
  return {
    actions: [
      {
        do: 'report',
        report: { to: 'StartedCold', pod, message },
        event: { type: 'Warning', reason: 'StartedCold', note: message, pod },
      },
    ],
  };
};

const neither = ({ reason, message }: Verdict, why: string): Decided =>
  fail({ reason, message: `${message} It could not be started cold either: ${why}` });

function stuck({ podName, restore }: ObservedPodRestore, why: Verdict): Decided {
  const said = `Pod ${podName} is deleted, and its node does not confirm it.`;
  if (restore.spec.onFailure === 'ColdStart') return neither(why, said);
  return fail({ ...why, message: `${why.message} ${said}` });
}

/** No pod of ours is there: what was asked for instead is made, or nothing is. */
function without(observed: ObservedPodRestore, why: Verdict): Decided {
  const { plan, pod, podName, quota, rejection, restore } = observed;
  const { deadlineSeconds, onFailure } = restore.spec;
  if (onFailure === 'Fail') return fail(why);
  if (pod.state === 'foreign') {
    if (pod.leaving) return { actions: [], againAfterMilliseconds: leavingRecheckMilliseconds };
    return neither(why, `pod ${podName} exists and was not made by this PodRestore.`);
  }
  if (rejection !== undefined) return neither(why, rejection);
  if (quota !== undefined) {
    // As long again as the restore was given: whoever has the quota may have it for ever.
    if (observed.leftMilliseconds < -deadlineSeconds * 1000) return neither(why, quota);
    const message = `The API server does not take pod ${podName} yet: ${quota}`;
    return {
      actions: [
        { do: 'report', report: { to: 'StillEnding', reason: 'WaitingForQuota', message } },
      ],
      againAfterMilliseconds: quotaRecheckMilliseconds,
    };
  }
  if (plan.state === 'unread') return nothing;
  if (plan.state === 'impossible') return neither(why, plan.verdict.message);
  return { actions: [{ do: 'createPod', pod: plan.pod }] };
}

/** The verdict is on record: the placeholder goes, and with ColdStart a fresh pod takes its place. */
export function ending(observed: ObservedPodRestore, why: Verdict | undefined): Decided {
  const { pod } = observed;
  if (why === undefined || pod.state === 'unread') return nothing;
  if (pod.state !== 'ours') return without(observed, why);
  const { cold: isCold, leaving, restored } = pod.object;
  if (restored) return succeed(pod.object);
  if (leaving) {
    // Its end is decided, whenever the node comes back; nobody is kept waiting for that.
    if (observed.podOverdueMilliseconds >= nodeLostMilliseconds) return stuck(observed, why);
    return { actions: [], againAfterMilliseconds: leavingRecheckMilliseconds };
  }
  if (isCold) return cold(pod.object.pod, why);
  return {
    actions: [{ do: 'deletePod', pod: pod.object.pod }],
    againAfterMilliseconds: recheckMilliseconds,
  };
}
