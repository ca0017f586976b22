import { finalizers, labels } from '../../core/api/names.ts';
import type { ProgressReason } from '../../core/api/reasons.ts';
import type { Pod } from '../../core/api/workload.ts';
import { type Decision, sourceSentence } from '../../core/decision.ts';
import { act, deadlineLeft, type Found, fail, mirrorIntervalMilliseconds } from './deciding.ts';
import type { ObservedSnapshot, SnapshotAction } from './observed.ts';

/** What refuses an order (a right that is missing, a policy, a quota) is mended by people. */
const rejectedMilliseconds = 15_000;

/** Before there is an order. The UID comes first: a pod of that name that is another says nothing about the one meant. */
export function unbound(observed: ObservedSnapshot): Decision<SnapshotAction> {
  const { content, snapshot } = observed;
  if (content.state === 'found') return bind(observed, content);
  const untouched = sourceSentence(undefined);
  if (snapshot.spec.cancel) return fail('Cancelled', `Cancelled before it began. ${untouched}`);
  if (deadlineLeft(observed) <= 0) {
    const seconds = snapshot.spec.deadlineSeconds;
    return fail('DeadlineExceeded', `Not begun within ${seconds} s. ${untouched}`);
  }
  const { podRef, contentName } = snapshot.spec.source;
  if (podRef === undefined) {
    const message = `Waits for PodSnapshotContent ${contentName ?? ''} to be made.`;
    return waitFor(observed, 'WaitingForContent', message);
  }
  return capture(observed, podRef);
}

function bind(observed: ObservedSnapshot, found: Found): Decision<SnapshotAction> {
  const { name } = found.content.metadata;
  if (!found.ours) {
    const ref = found.content.spec.snapshotRef;
    const message = `PodSnapshotContent ${name} belongs to PodSnapshot ${ref.namespace}/${ref.name} (${ref.uid ?? 'no UID'}).`;
    return fail('ContentConflict', `${message} ${sourceSentence(undefined)}`);
  }
  if (found.content.metadata.deletionTimestamp !== undefined) {
    const message = `PodSnapshotContent ${name} is being deleted.`;
    return fail('ContentLost', `${message} ${sourceSentence(undefined)}`);
  }
  // Also before a claim: a snapshot that it holds is this one, whatever a cache says.
  if (!observed.snapshot.metadata.finalizers.includes(finalizers.snapshot)) {
    return act({ do: 'addFinalizer' });
  }
  if (!found.claimed) return act({ do: 'claimContent', content: found.content });
  const { metadata, spec } = found.content;
  const nodeName = metadata.labels[labels.node] ?? spec.source.nodeName;
  return {
    ...act({ do: 'bind', contentName: name, nodeName }),
    againAfterMilliseconds: mirrorIntervalMilliseconds,
  };
}

type PodRef = {
  readonly name: string;
  readonly uid?: string | undefined;
  readonly containers: readonly string[];
};

/** Why the pod cannot be captured, or undefined. */
function podVerdict(pod: Pod, podRef: PodRef): Decision<SnapshotAction> | undefined {
  if (podRef.uid !== undefined && podRef.uid !== pod.metadata.uid) {
    const message = `Pod ${podRef.name} has UID ${pod.metadata.uid}, asked for is ${podRef.uid}: it was replaced.`;
    return fail('StalePodReference', `${message} The pod was not touched.`);
  }
  const { phase } = pod.status;
  if (pod.metadata.deletionTimestamp !== undefined || phase === 'Succeeded' || phase === 'Failed') {
    const state =
      pod.metadata.deletionTimestamp !== undefined ? 'being deleted' : `over (${phase})`;
    return fail('SourcePodGone', `Pod ${podRef.name} is ${state}, nothing was captured.`);
  }
  const names = pod.spec.containers.map(({ name }) => name);
  const absent = podRef.containers.filter((name) => !names.includes(name));
  if (absent.length > 0) {
    const message = `Pod ${podRef.name} has no container ${absent.join(', ')}; it has: ${names.join(', ')}.`;
    return fail('InvalidTargetContainer', `${message} ${sourceSentence(undefined)}`);
  }
  return undefined;
}

function capture(observed: ObservedSnapshot, podRef: PodRef): Decision<SnapshotAction> {
  if (!observed.snapshot.metadata.finalizers.includes(finalizers.snapshot)) {
    return act({ do: 'addFinalizer' });
  }
  if (observed.pod.state !== 'found') {
    return fail('SourcePodNotFound', `There is no pod ${podRef.name} in this namespace.`);
  }
  const { pod, raw } = observed.pod;
  const verdict = podVerdict(pod, podRef);
  if (verdict !== undefined) return verdict;
  if (pod.spec.nodeName === undefined) {
    return waitFor(observed, 'WaitingForSchedule', `Pod ${podRef.name} has no node yet.`);
  }
  if (observed.rejection !== undefined) {
    const message = `The API server refused the work order: ${observed.rejection}`;
    return {
      ...act({ do: 'wait', reason: 'WaitingForContent', message, warn: true }),
      againAfterMilliseconds: Math.max(1, Math.min(rejectedMilliseconds, deadlineLeft(observed))),
    };
  }
  // The create answers with a finding, and the next round binds.
  return act({ do: 'createContent', raw, pod });
}

/** Looks again more and more rarely: the pod of a checkpoint is watched, that of a user's snapshot is not. */
function waitFor(
  observed: ObservedSnapshot,
  reason: ProgressReason,
  message: string,
): Decision<SnapshotAction> {
  const pause = Math.min(30_000, Math.max(1_000, observed.ageMilliseconds / 10));
  const againAfterMilliseconds = Math.max(1, Math.min(pause, deadlineLeft(observed)));
  // A pod that is placed within a second, as most are, costs no write.
  if (observed.ageMilliseconds < mirrorIntervalMilliseconds) {
    return { actions: [], againAfterMilliseconds };
  }
  return { ...act({ do: 'wait', reason, message }), againAfterMilliseconds };
}
