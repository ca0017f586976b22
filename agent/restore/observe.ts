import { annotations } from '../../core/api/names.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { placeholderProblems, restoredCondition } from '../../core/api/restore.ts';
import type { ContainerStatus, Pod } from '../../core/api/workload.ts';
import { containersToRestore } from '../../core/restore/snapshot-view.ts';
import { cacheKey } from '../../runtime/raw-object.ts';
import { type FoundSnapshot, findSnapshot } from '../../runtime/restorable-snapshot.ts';
import { parseContainerID } from '../capture/resolve.ts';
import type { ProcessIdentity } from '../proc/identity.ts';
import { claimOf } from './claim.ts';
import { maximumAttemptsOf } from './figures.ts';
import type { Marks } from './marks.ts';
import type { ConditionView, Observed, PlaceholderView } from './observed.ts';
import type { PlaceholderInit } from './placeholders.ts';
import type { RestoreState } from './state.ts';
import type { RestoreWork } from './work.ts';

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
  /** Where it can be restored into. */
  readonly init: ProcessIdentity | undefined;
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
  const { found, names, placeholder, seen } = await lookAll(state, pod, source, work, signal);
  // What a worker has said counts for the containers it worked on, and for no later ones.
  const current = work !== undefined && isCurrent(work, seen);
  const observed: Observed = Object.freeze({
    pod: { over, problems: placeholderProblems(pod, names) },
    snapshot: found.view,
    placeholder,
    work: current ? work.view() : { state: 'none' as const },
    condition: conditionOf(pod),
    maximumAttempts: maximumAttemptsOf(pod),
    replaced: false,
  });
  const targets = seen.map(({ view, ...rest }) => ({ ...rest, state: view.state }));
  return { observed, pod, content: found.content, targets };
}

type Sighting = {
  readonly found: FoundSnapshot;
  readonly names: readonly string[];
  readonly seen: readonly Look[];
  /** All of them as one. */
  readonly placeholder: PlaceholderView;
};

const isCurrent = (work: RestoreWork, seen: readonly Look[]): boolean =>
  work.isFor(new Map(seen.map(({ name, ticks }) => [name, ticks])));

/** The snapshot is asked for only where it matters: not of a pod that is over, is being restored or runs from it already. */
async function lookAll(
  state: RestoreState,
  pod: Pod,
  source: string,
  work: RestoreWork | undefined,
  signal: AbortSignal,
): Promise<Sighting> {
  const lookWith = async (found: FoundSnapshot): Promise<Sighting> => {
    const names = containersToRestore(pod, found.view);
    const seen = isOver(pod) ? [] : await Promise.all(names.map((name) => look(state, pod, name)));
    return { found, names, seen, placeholder: together(seen.map(({ view }) => view)) };
  };
  if (isOver(pod)) return lookWith({ view: { state: 'pending', message: '' } });
  if (work !== undefined && ['running', 'restored'].includes(work.view().state)) {
    const sighting = await lookWith(work.snapshot);
    if (isCurrent(work, sighting.seen)) return sighting;
  }
  const { kube } = state.deps;
  const { namespace = '' } = pod.metadata;
  const sighting = await lookWith(pinned(pod, await findSnapshot(kube, namespace, source, signal)));
  const { found, placeholder } = sighting;
  // Only who could begin now has to ask.
  if (found.view.state !== 'ready' || placeholder.state !== 'ready') return sighting;
  const obstacle = await claimOf(kube, pod, placeholder.restarts, signal);
  return obstacle === undefined ? sighting : { ...sighting, found: { view: obstacle } };
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

type Look = Omit<SeenTarget, 'state'> & { readonly view: PlaceholderView };

async function look(state: RestoreState, pod: Pod, name: string): Promise<Look> {
  const { marks, findInit } = state.deps;
  const said = await marks.read(pod.metadata.uid, name);
  const ticks = said.waitingTicks;
  const view = viewMarks(pod, name, said);
  if (view.state !== 'ready' || ticks === undefined) return { name, ticks, init: undefined, view };
  const init = await findInit(pod, name, ticks);
  const why = init === undefined ? 'does not wait for its state yet' : staleness(pod, name, init);
  if (why === undefined) return { name, ticks, init: init?.process, view };
  const waiting = { state: 'waiting', message: `container ${name} ${why}` } as const;
  return { name, ticks, init: undefined, view: waiting };
}

const statusOf = (pod: Pod, container: string): ContainerStatus | undefined =>
  pod.status.containerStatuses.find((one) => one.name === container);

/** Whether the status tells of no container yet that has begun: the kubelet is a second behind, and what waits is the pod's first. */
function isFirst(status: ContainerStatus | undefined): boolean {
  if (status === undefined) return true;
  const { waiting, running, terminated } = status.state;
  return (
    status.restartCount === 0 &&
    running === undefined &&
    terminated === undefined &&
    ['ContainerCreating', 'PodInitializing'].includes(waiting?.reason ?? 'ContainerCreating')
  );
}

/** Restarts are counted by the status, so it must be about the container that was found. */
function staleness(pod: Pod, container: string, init: PlaceholderInit): string | undefined {
  const status = statusOf(pod, container);
  if (isFirst(status)) return undefined;
  const known = parseContainerID(status?.containerID ?? '');
  return known === init.containerID ? undefined : 'was started again, and its status is older';
}

function viewMarks(pod: Pod, container: string, marks: Marks): PlaceholderView {
  const status = statusOf(pod, container);
  const first = isFirst(status);
  const runs = status?.state.running !== undefined && status.containerID !== undefined;
  if (!runs && (!first || marks.waitingTicks === undefined)) {
    return { state: 'waiting', message: `container ${container} does not run yet` };
  }
  if (marks.waitingTicks === undefined) {
    return { state: 'waiting', message: `container ${container} does not wait for its state yet` };
  }
  if (marks.complete) return { state: 'complete' };
  if (marks.failed) return { state: 'failed' };
  if (marks.begunTicks === marks.waitingTicks) return { state: 'begun' };
  return { state: 'ready', restarts: status?.restartCount ?? 0 };
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
