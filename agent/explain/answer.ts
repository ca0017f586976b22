import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../../core/api/pod-snapshot-content.ts';
import type { PodSnapshotExplanation } from '../../core/api/pod-snapshot-explanation.ts';
import { errorText, Failure, isFailure } from '../../core/failure.ts';
import type { Blocker } from '../capture/backend.ts';
import { findUnreachable } from '../capture/pod-checks.ts';
import type { OrderDeps } from '../order/deps.ts';
import { type Look, lookAtSource } from '../order/look.ts';
import { checkPod, pinsOf, targetContainers, viewSource } from '../order/source-check.ts';
import { podVolumesOf } from '../order/source-facts.ts';
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
  if (unreachable.length > 0) return answerOf([...refused, ...unreachable], undefined);
  const names = targetContainers(order);
  const view = viewSource(order, pod, pinsOf(pod, names));
  if (view.state !== 'ready') return unknown(view.message);
  try {
    const { uid } = pod.metadata;
    const containers = await deps.sources.resolve(pod, names, signal);
    const stagingDirectory = deps.staging.pathOf(uid, 0);
    const { afterCapture, tcp } = order.spec;
    const asked = { stagingDirectory, afterCapture, tcp };
    const request = { containers, podUID: uid, volumes: podVolumesOf(pod), ...asked };
    const look = await lookAtSource(deps, pod, order.spec, request, signal);
    return answerOf([...refused, ...look.blockers], look);
  } catch (error) {
    // What another try may mend is tried again; anything else is what there is to say.
    if (signal.aborted || isFailure(error, 'retry', 'conflict')) throw error;
    return unknown(errorText(error));
  }
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

function answerOf(blockers: readonly Blocker[], look: Look | undefined): Answer {
  return {
    answer: blockers.length === 0 ? 'Capturable' : 'Blocked',
    ...(look === undefined
      ? {}
      : {
          estimatedBytes: look.estimatedBytes,
          expectedFreezeMilliseconds: look.expectedFreezeMilliseconds,
        }),
    captured: [...(look?.outlook.captured ?? [])],
    notCaptured: [...(look?.notCaptured ?? [])],
    lost: [...(look?.outlook.lost ?? [])],
    blockers: [...blockers],
  };
}
