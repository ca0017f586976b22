import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../../core/api/pod-snapshot-content.ts';
import type { PodSnapshotExplanation } from '../../core/api/pod-snapshot-explanation.ts';
import type { Pod } from '../../core/api/workload.ts';
import { errorText, Failure, isFailure } from '../../core/failure.ts';
import type { Blocker } from '../capture/backend.ts';
import { findUnreachable } from '../capture/pod-checks.ts';
import type { OrderDeps } from '../order/deps.ts';
import { type Look, lookAtSource } from '../order/look.ts';
import {
  checkPod,
  pinOf,
  targetContainer,
  targetStatus,
  viewSource,
} from '../order/source-check.ts';
import { readPod } from '../order/source-pod.ts';

/** What an answer is made with: the same parts as a capture, up to the freeze. */
export type ExplainDeps = Pick<
  OrderDeps,
  'kube' | 'backend' | 'sources' | 'staging' | 'refusals' | 'freezeOutlook'
>;

export type Answer = PodSnapshotExplanation['status'];

/** Looks at the pod as a capture would, and freezes nothing. Throws a Failure 'retry' when the API server or the node does not answer. */
export async function answer(
  deps: ExplainDeps,
  explanation: PodSnapshotExplanation,
  signal: AbortSignal,
): Promise<Answer> {
  const order = orderOf(explanation);
  const pod = await readPod(deps, order, signal);
  const verdict = checkPod(order, pod, 'new');
  if (pod === undefined || verdict !== undefined) return unknown(verdict?.message ?? 'no pod');
  const refused = deps.refusals(order).map((message) => ({ check: 'request', message }));
  const unreachable = findUnreachable(pod);
  if (unreachable.length > 0) return answerOf([...refused, ...unreachable], []);
  const view = viewSource(order, pod, pinOf(pod, targetContainer(order)));
  if (view.state !== 'ready') return unknown(view.message);
  try {
    const looks: Look[] = [];
    for (const name of explanation.spec.podRef.containers) {
      looks.push(await lookAtContainer(deps, order, pod, name, signal));
    }
    return answerOf([...refused, ...looks.flatMap(({ blockers }) => blockers)], looks);
  } catch (error) {
    // What another try may mend is tried again; anything else is what there is to say.
    if (signal.aborted || isFailure(error, 'retry', 'conflict')) throw error;
    return unknown(errorText(error));
  }
}

async function lookAtContainer(
  deps: ExplainDeps,
  order: PodSnapshotContent,
  pod: Pod,
  name: string,
  signal: AbortSignal,
): Promise<Look> {
  const root = await deps.sources.resolve(pod, name, signal);
  const containerID = targetStatus(pod, name)?.containerID ?? '';
  const { uid } = pod.metadata;
  const stagingDirectory = deps.staging.pathOf(uid, 0);
  const request = { container: { name, containerID, root }, podUID: uid, stagingDirectory };
  return lookAtSource(deps, pod, order.spec, request, signal);
}

/** The order that the controller would give: what is asked about it is asked by the same code. */
function orderOf({ metadata, spec }: PodSnapshotExplanation): PodSnapshotContent {
  const { podRef, nodeName, afterCapture, tcp } = spec;
  const { name, namespace, uid } = metadata;
  const parsed = parsePodSnapshotContent({
    metadata: { name },
    spec: {
      ...{ afterCapture, tcp, waitForReady: false },
      snapshotRef: { namespace, name, uid },
      source: { podRef, nodeName },
    },
  });
  if (parsed.ok) return parsed.value;
  throw new Failure('terminal', 'UnreadableExplanation', parsed.message);
}

const unknown = (message: string): Answer => ({
  ...{ answer: 'Unknown', message },
  ...{ captured: [], notCaptured: [], lost: [], blockers: [] },
});

function answerOf(blockers: readonly Blocker[], looks: readonly Look[]): Answer {
  const sum = (pick: (look: Look) => number): number =>
    looks.reduce((total, look) => total + pick(look), 0);
  return {
    answer: blockers.length === 0 ? 'Capturable' : 'Blocked',
    ...(looks.length === 0
      ? {}
      : {
          estimatedBytes: sum((look) => look.estimatedBytes),
          expectedFreezeMilliseconds: sum((look) => look.expectedFreezeMilliseconds),
        }),
    captured: looks.flatMap(({ outlook }) => outlook.captured),
    notCaptured: looks.flatMap((look) => look.notCaptured),
    lost: looks.flatMap(({ outlook }) => outlook.lost),
    blockers: [...blockers],
  };
}
