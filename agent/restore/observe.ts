import { annotations } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { placeholderProblems, restoredCondition } from '../../core/api/restore.ts';
import type { Pod } from '../../core/api/workload.ts';
import type { SnapshotView } from '../../core/restore/snapshot-view.ts';
import { cacheKey } from '../../runtime/raw-object.ts';
import { type FoundSnapshot, findSnapshot } from '../../runtime/restorable-snapshot.ts';
import { maximumAttemptsOf } from './figures.ts';
import type { Marks } from './marks.ts';
import type { ConditionView, Observed, PlaceholderView } from './observed.ts';
import type { RestoreState } from './state.ts';

/** An observation and the objects it was made of, for the effects. */
export type Sight = {
  readonly observed: Observed;
  readonly pod: Pod | undefined;
  readonly content: PodSnapshotContent | undefined;
  readonly targets: readonly SeenTarget[];
};

/** A container to be restored into. */
export type SeenTarget = {
  readonly name: string;
  readonly state: PlaceholderView['state'];
  /** Of the init that waits or waited; undefined before it does. */
  readonly ticks: number | undefined;
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
    return { observed, pod: undefined, content: undefined, targets: [] };
  }
  const over = isOver(pod);
  const found =
    over || work?.view().state === 'running'
      ? { view: { state: 'pending', message: '' } as const }
      : pinned(pod, await findSnapshot(deps.kube, namespace, source, signal));
  const names = containersOf(pod, found.view);
  const seen = over ? [] : await Promise.all(names.map((name) => look(state, pod, name)));
  // What a worker has said counts for the containers it worked on, and for no later ones.
  const current = work?.isFor(new Map(seen.map(({ name, ticks }) => [name, ticks])));
  const observed: Observed = Object.freeze({
    pod: { over, problems: placeholderProblems(pod, names) },
    snapshot: found.view,
    placeholder: together(seen.map(({ view }) => view)),
    work: work !== undefined && current ? work.view() : { state: 'none' as const },
    condition: conditionOf(pod),
    maximumAttempts: maximumAttemptsOf(pod),
    replaced: false,
  });
  const targets = seen.map(({ name, ticks, view }) => ({ name, ticks, state: view.state }));
  return { observed, pod, content: 'content' in found ? found.content : undefined, targets };
}

const nothing: Observed = Object.freeze<Observed>({
  pod: undefined,
  snapshot: { state: 'pending', message: '' },
  placeholder: { state: 'waiting', message: '' },
  work: { state: 'none' },
  condition: undefined,
  maximumAttempts: 0,
  replaced: false,
});

/** A PodRestore says which incarnation of the snapshot it means. */
function pinned(pod: Pod, found: FoundSnapshot): FoundSnapshot {
  const uid = pod.metadata.annotations[annotations.restoreFromUID];
  if (uid === undefined || found.content === undefined) return found;
  if (found.content.spec.snapshotRef.uid === uid) return found;
  const message = `PodSnapshot ${found.content.spec.snapshotRef.name} is another one than the pod was made for`;
  return { view: { state: 'unusable', message } };
}

const isOver = (pod: Pod): boolean =>
  pod.metadata.deletionTimestamp !== undefined ||
  pod.status.phase === 'Succeeded' ||
  pod.status.phase === 'Failed';

/** The annotation may name them before the snapshot is there to be asked. */
function containersOf(pod: Pod, snapshot: SnapshotView): readonly string[] {
  // The content of an artifact from elsewhere names none; whether the artifact holds them shows when it is read.
  if (snapshot.state === 'ready' && snapshot.containers.length > 0) return snapshot.containers;
  const named = pod.metadata.annotations[annotations.targetContainers];
  return named?.split(',').map((name) => name.trim()) ?? [pod.spec.containers[0]?.name ?? ''];
}

type Look = {
  readonly name: string;
  readonly ticks: number | undefined;
  readonly view: PlaceholderView;
};

async function look(state: RestoreState, pod: Pod, name: string): Promise<Look> {
  const marks = await state.deps.marks.read(pod.metadata.uid, name);
  return { name, ticks: marks.waitingTicks, view: viewPlaceholder(pod, name, marks) };
}

function viewPlaceholder(pod: Pod, container: string, marks: Marks): PlaceholderView {
  const status = pod.status.containerStatuses.find((one) => one.name === container);
  if (status?.state.running === undefined || status.containerID === undefined) {
    return { state: 'waiting', message: `container ${container} does not run yet` };
  }
  if (marks.waitingTicks === undefined) {
    return { state: 'waiting', message: `container ${container} does not wait for its state yet` };
  }
  if (marks.complete) return { state: 'complete' };
  if (marks.failed) return { state: 'failed' };
  if (marks.begunTicks === marks.waitingTicks) return { state: 'begun' };
  return { state: 'ready', restarts: status.restartCount };
}

const gravest = ['begun', 'failed', 'waiting', 'ready', 'complete'] as const;

/** The pod's containers as one: what went wrong first, then what is waited for, then what can be restored; complete when all are. Pure. */
export function together(views: readonly PlaceholderView[]): PlaceholderView {
  for (const state of gravest) {
    const found = views.filter((view) => view.state === state);
    const restarts = found.map((view) => (view.state === 'ready' ? view.restarts : 0));
    if (state === 'ready' && found.length > 0) return { state, restarts: Math.max(...restarts) };
    if (found[0] !== undefined) return found[0];
  }
  return { state: 'waiting', message: 'the pod names no container' };
}

function conditionOf(pod: Pod): ConditionView | undefined {
  const found = pod.status.conditions.find((condition) => condition.type === restoredCondition);
  if (found === undefined) return undefined;
  const { status, reason, message } = found;
  return { status, reason: String(reason ?? ''), message: String(message ?? '') };
}
