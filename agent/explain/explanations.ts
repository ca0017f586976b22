import { kinds } from '../../core/api/kinds.ts';
import {
  type PodSnapshotExplanation,
  parsePodSnapshotExplanation,
} from '../../core/api/pod-snapshot-explanation.ts';
import { isFailure } from '../../core/failure.ts';
import { type ObjectKey, serverNow } from '../../runtime/kube-port.ts';
import { againAfter, done, type Next, runReconciler } from '../../runtime/reconciler.ts';
import { Reflector, type ReflectorObserver } from '../../runtime/reflector.ts';
import { patchStatus } from '../../runtime/status-patch.ts';
import type { QueueObserver } from '../../runtime/work-queue.ts';
import type { OrderDeps } from '../order/deps.ts';
import { answer, type ExplainDeps } from './answer.ts';
import { decideExplanation } from './decide.ts';

/** Bookmarks come about every minute; a stream silent for longer than three is dead. */
const silenceMilliseconds = 200_000;

type Deps = ExplainDeps & Pick<OrderDeps, 'clock' | 'random' | 'log' | 'nodeName'>;

/** Answers what users ask about pods of this node, one question at a time: a look costs the node something. */
export function startExplanations(
  deps: Deps,
  observers: { readonly reflector: ReflectorObserver; readonly queue: QueueObserver },
): { readonly run: (signal: AbortSignal) => Promise<void> } {
  const { kube, clock, random, log, nodeName } = deps;
  const reconciler = runReconciler({
    ...{ name: 'explanation', slots: 1, clock, random, log },
    queueObserver: observers.queue,
    ended: () => undefined,
    fenced: () => undefined,
    reconcile: (key, signal) => reconcileExplanation(deps, cache.get(key), signal),
  });
  const cache: Reflector<PodSnapshotExplanation> = new Reflector({
    ...{ kube, clock, random, log, indexes: {}, silenceMilliseconds },
    observer: observers.reflector,
    selection: { kind: kinds.podSnapshotExplanation, fieldSelector: `spec.nodeName=${nodeName}` },
    parse: parsePodSnapshotExplanation,
    onChange: (key) => reconciler.add(key),
  });
  return {
    run: async (signal) => {
      await cache.run(signal);
      await reconciler.stop(0);
    },
  };
}

/** One look at one explanation. */
export async function reconcileExplanation(
  deps: Deps,
  explanation: PodSnapshotExplanation | undefined,
  signal: AbortSignal,
): Promise<Next> {
  if (explanation === undefined) return done;
  const { metadata, status } = explanation;
  const now = serverNow(deps.kube, deps.clock.monotonicMilliseconds());
  const action = decideExplanation({
    state:
      metadata.deletionTimestamp !== undefined
        ? 'going'
        : status.answer === undefined
          ? 'asked'
          : 'answered',
    ageMilliseconds: now === undefined ? undefined : now - Date.parse(metadata.creationTimestamp),
  });
  if (action.do === 'keep') return againAfter(action.milliseconds);
  if (action.do === 'answer') {
    const found = await answer(deps, explanation, signal);
    // The watch brings the answered object back, and with it the time to remove it.
    await patchStatus(deps.kube, keyOf(explanation), metadata, found, signal);
  }
  if (action.do === 'remove') await remove(deps, explanation, signal);
  return done;
}

const keyOf = ({ metadata }: PodSnapshotExplanation): ObjectKey => ({
  kind: kinds.podSnapshotExplanation,
  namespace: metadata.namespace ?? '',
  name: metadata.name,
});

async function remove(
  deps: Pick<Deps, 'kube'>,
  explanation: PodSnapshotExplanation,
  signal: AbortSignal,
): Promise<void> {
  const { uid } = explanation.metadata;
  try {
    await deps.kube.delete(keyOf(explanation), { uid }, signal);
  } catch (error) {
    // Deleted by whoever asked, and perhaps asked again under the same name.
    if (!isFailure(error, 'gone', 'conflict')) throw error;
  }
}
