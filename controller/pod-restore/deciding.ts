import type { Progressing } from '../../core/api/conditions.ts';
import type { Candidate, PodRestorePhase } from '../../core/api/pod-restore.ts';
import type { Pod } from '../../core/api/workload.ts';
import type { Decision } from '../../core/decision.ts';
import type { PodRestoreAction, RestoredPod, Verdict } from './observed.ts';

/** What the rules of all steps are made of. */
type Decided = Decision<PodRestoreAction>;

export const nothing: Decided = { actions: [] };

/** For what the cluster does within seconds. */
export const recheckMilliseconds = 1_000;

/** The end: no pod is there that could come to life. */
export const fail = ({ reason, message }: Verdict): Decided => ({
  actions: [
    {
      do: 'report',
      report: { to: 'Failed', reason, message },
      event: { type: 'Warning', reason, note: message },
    },
  ],
});

/** The verdict goes on record before anything is done about the pod. */
export const give = ({ reason, message }: Verdict): Decided => ({
  actions: [{ do: 'report', report: { to: 'Ending', reason, message } }],
  againAfterMilliseconds: 0,
});

/** Says what is waited for. */
export const wait = (
  phase: PodRestorePhase,
  progressing: Progressing,
  againAfterMilliseconds: number,
  candidates?: readonly Candidate[],
): Decided => ({
  actions: [
    {
      do: 'report',
      report: {
        ...{ to: 'Waiting', phase },
        ...progressing,
        ...(candidates === undefined ? {} : { candidates }),
      },
    },
  ],
  againAfterMilliseconds,
});

/** The pod's UID goes on record. */
export const pin = (pod: Pod, candidates: readonly Candidate[] | undefined): Decided => ({
  actions: [
    {
      do: 'report',
      report: { to: 'Placed', pod, ...(candidates === undefined ? {} : { candidates }) },
      event: {
        type: 'Normal',
        reason: 'PlaceholderCreated',
        note: `Pod ${pod.metadata.name} waits for its processes.`,
      },
    },
  ],
  againAfterMilliseconds: recheckMilliseconds,
});

/** Restored wins over every verdict. */
export const succeed = (pod: RestoredPod): Decided => ({
  actions: [
    {
      do: 'report',
      report: { to: 'Restored', pod },
      event: {
        type: 'Normal',
        reason: 'RestoreSucceeded',
        note: `Pod ${pod.pod.metadata.name}: ${pod.message}`,
      },
    },
  ],
});
