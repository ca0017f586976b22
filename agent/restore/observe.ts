import { annotations } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { placeholderProblems, restoredCondition } from '../../core/api/restore.ts';
import type { Pod } from '../../core/api/workload.ts';
import { cacheKey } from '../../runtime/raw-object.ts';
import type { Marks } from './marks.ts';
import type { ConditionView, Observed, PlaceholderView, SnapshotView } from './observed.ts';
import { findSnapshot } from './snapshot.ts';
import type { RestoreState } from './state.ts';

const defaultMaximumAttempts = 3;

/** An observation and the objects it was made of, for the effects. */
export type Sight = {
  readonly observed: Observed;
  readonly pod: Pod | undefined;
  readonly container: string;
  readonly content: PodSnapshotContent | undefined;
  readonly marks: Marks | undefined;
};

/** Which snapshot the pod is to be restored from; undefined for any other pod. */
export const restoreSource = (pod: Pod): string | undefined =>
  pod.metadata.annotations[annotations.restoreFrom];

/** Everything about one pod, as one frozen value. Reads; writes nothing. */
export async function observe(
  state: RestoreState,
  namespace: string,
  name: string,
  signal: AbortSignal,
): Promise<Sight> {
  const { deps, works } = state;
  const pod = deps.pod(namespace, name);
  const source = pod === undefined ? undefined : restoreSource(pod);
  const work = works.get(cacheKey(namespace, name));
  // Work for an earlier pod of that name is settled first, as if no pod were there.
  const stale = work !== undefined && work.podUID !== pod?.metadata.uid;
  if (pod === undefined || source === undefined || pod.spec.nodeName !== deps.nodeName || stale) {
    const observed = stale && pod !== undefined ? { ...nothing, replaced: true } : nothing;
    return { observed, pod: undefined, container: '', content: undefined, marks: undefined };
  }
  const over = isOver(pod);
  const found =
    over || work?.view().state === 'running'
      ? { view: { state: 'pending', message: '' } as const }
      : await findSnapshot(deps.kube, namespace, source, signal);
  const container = containerOf(pod, found.view);
  const marks = over ? undefined : await deps.marks.read(pod.metadata.uid, container);
  const placeholder = viewPlaceholder(pod, container, marks);
  // What a worker has said counts for the container it worked on, and for no later one.
  const current = work !== undefined && (marks?.waitingTicks ?? work.ticks) === work.ticks;
  const observed: Observed = Object.freeze({
    pod: { over, problems: placeholderProblems(pod, container === '' ? [] : [container]) },
    snapshot: found.view,
    placeholder,
    work: current ? work.view() : { state: 'none' as const },
    condition: conditionOf(pod),
    maximumAttempts: defaultMaximumAttempts,
    replaced: false,
  });
  return {
    observed,
    pod,
    container,
    content: 'content' in found ? found.content : undefined,
    marks,
  };
}

const nothing: Observed = Object.freeze<Observed>({
  pod: undefined,
  snapshot: { state: 'pending', message: '' },
  placeholder: { state: 'waiting', message: '' },
  work: { state: 'none' },
  condition: undefined,
  maximumAttempts: defaultMaximumAttempts,
  replaced: false,
});

const isOver = (pod: Pod): boolean =>
  pod.metadata.deletionTimestamp !== undefined ||
  pod.status.phase === 'Succeeded' ||
  pod.status.phase === 'Failed';

/** The annotation may name it before the snapshot is there to be asked. */
function containerOf(pod: Pod, snapshot: SnapshotView): string {
  if (snapshot.state === 'ready') return snapshot.containers[0] ?? '';
  return (
    pod.metadata.annotations[annotations.targetContainers] ?? pod.spec.containers[0]?.name ?? ''
  );
}

function viewPlaceholder(pod: Pod, container: string, marks: Marks | undefined): PlaceholderView {
  const status = pod.status.containerStatuses.find((one) => one.name === container);
  if (status?.state.running === undefined || status.containerID === undefined) {
    return { state: 'waiting', message: `container ${container} does not run yet` };
  }
  if (marks?.waitingTicks === undefined) {
    return { state: 'waiting', message: `container ${container} does not wait for its state yet` };
  }
  if (marks.complete) return { state: 'complete' };
  if (marks.failed) return { state: 'failed' };
  if (marks.begunTicks === marks.waitingTicks) return { state: 'begun' };
  return { state: 'ready', restarts: status.restartCount };
}

function conditionOf(pod: Pod): ConditionView | undefined {
  const found = pod.status.conditions.find((condition) => condition.type === restoredCondition);
  if (found === undefined) return undefined;
  const { status, reason, message } = found;
  return { status, reason: String(reason ?? ''), message: String(message ?? '') };
}
