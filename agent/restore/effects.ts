import { timestamp } from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import { sentinels } from '../../core/api/names.ts';
import { restoredCondition } from '../../core/api/restore.ts';
import { restoreProgressCondition } from '../../core/api/restore-progress.ts';
import { parsePod } from '../../core/api/workload.ts';
import { Failure, isFailure } from '../../core/failure.ts';
import { mutateStatus } from '../../runtime/status-patch.ts';
import { figuresCondition, figuresOf } from './figures.ts';
import type { Sight } from './observe.ts';
import type { Action } from './observed.ts';
import { Preparation } from './preparation.ts';
import type { RestoreState } from './state.ts';
import { RestoreWork } from './work.ts';

/** What an effect works on. */
export type Scene = {
  readonly state: RestoreState;
  /** cacheKey of the pod. */
  readonly key: string;
  readonly sight: Sight;
  readonly signal: AbortSignal;
};

type Effects = {
  readonly [Name in Action['do']]: (
    scene: Scene,
    action: Extract<Action, { do: Name }>,
  ) => void | Promise<void>;
};

const conflictAttempts = 6;

const podOf = ({ sight }: Scene): NonNullable<Sight['pod']> => {
  if (sight.pod === undefined) throw new Failure('terminal', 'NoPod', 'the pod is gone');
  return sight.pod;
};

/** Containers whose restore is not complete: the others run, and are none of a failure's business. */
const unfinished = ({ sight }: Scene): Sight['targets'] =>
  sight.targets.filter(({ state, ticks }) => state !== 'complete' && ticks !== undefined);

/** Asks for another look at the pod. */
const changedOf = ({ state, sight }: Scene): (() => void) => {
  const { namespace = '', name = '' } = sight.pod?.metadata ?? {};
  return () => state.enqueue(namespace, name);
};

/** The pod's preparation, begun if there is none. */
function prepare(scene: Scene): Preparation {
  const { state, key } = scene;
  const { uid } = podOf(scene).metadata;
  const known = state.preparations.get(key);
  if (known?.podUID === uid) return known;
  known?.end();
  const preparation = new Preparation(state.deps, uid, changedOf(scene));
  state.preparations.set(key, preparation);
  return preparation;
}

function endPreparation({ preparations }: RestoreState, key: string): void {
  preparations.get(key)?.end();
  preparations.delete(key);
}

/** How each action is carried out. Every one may be cut short and done again. */
const effects: Effects = {
  report: (scene, action) => report(scene, action),
  watch: (scene) => {
    const preparation = prepare(scene);
    for (const { name, state } of scene.sight.targets)
      if (state === 'waiting') preparation.watch(name);
  },
  fetchAhead: (scene) => {
    const { content } = scene.sight;
    if (content !== undefined) prepare(scene).fetchAhead(content);
  },
  start: (scene) => {
    const { state, key, sight } = scene;
    const { pod, content, targets } = sight;
    if (pod === undefined || content === undefined) return;
    const order = {
      ...{ pod, content },
      containers: targets.flatMap(({ name, init }) => (init === undefined ? [] : [{ name, init }])),
      running: targets.filter((target) => target.state === 'complete').map((target) => target.name),
    };
    state.works.set(key, new RestoreWork(state.deps, order, changedOf(scene)));
  },
  cancel: ({ state, key }) => {
    const why = new Failure('terminal', 'RestoreFailed', 'the pod is being deleted or has ended');
    state.works.get(key)?.cancel(why);
    endPreparation(state, key);
  },
  fail: async (scene, { message }) => {
    const { uid } = podOf(scene).metadata;
    for (const { name, ticks } of unfinished(scene)) {
      const { marks } = scene.state.deps;
      try {
        // The kubelet may have started the next container meanwhile, which has failed at nothing.
        if ((await marks.read(uid, name)).waitingTicks !== ticks) continue;
        await marks.write(uid, name, sentinels.restoreFailed, message);
      } catch (error) {
        // Without its control directory it is ended from outside, or is gone already.
        if (!isFailure(error, 'gone', 'terminal')) throw error;
      }
    }
  },
  endPlaceholder: async (scene) => {
    const { deps } = scene.state;
    for (const { name, ticks } of unfinished(scene)) {
      const init = await deps.findInit(podOf(scene), name, ticks ?? 0);
      // Not there any more: it has ended.
      if (init !== undefined) await deps.end(init.process);
    }
  },
  forget: async ({ state, key }) => {
    const podUID = state.works.get(key)?.podUID ?? state.preparations.get(key)?.podUID;
    endPreparation(state, key);
    state.works.delete(key);
    if (podUID !== undefined) await state.deps.workDirectories.discard(podUID);
    // What an earlier agent tried for pods that are gone by now is nobody else's to remove.
    await state.deps.workDirectories.sweep();
  },
  again: () => {},
};

/** The pod's condition, of this incarnation only, and an event when it changes for good or ill. */
async function report(
  scene: Scene,
  { status, reason, message }: Extract<Action, { do: 'report' }>,
): Promise<void> {
  const { deps } = scene.state;
  const { namespace = '', name, uid } = podOf(scene).metadata;
  const now = timestamp(deps.clock.wallMilliseconds());
  let told: unknown;
  await mutateStatus(
    deps.kube,
    { kind: kinds.pod, namespace, name },
    (fresh) => {
      const parsed = parsePod(fresh);
      if (!parsed.ok || parsed.value.metadata.uid !== uid) {
        throw new Failure('gone', 'PodReplaced', `pod ${namespace}/${name} is another one by now`);
      }
      const others = parsed.value.status.conditions.filter(
        ({ type }) => type !== restoredCondition && type !== restoreProgressCondition,
      );
      const before = parsed.value.status.conditions.find(({ type }) => type === restoredCondition);
      told = before?.reason;
      const lastTransitionTime =
        before?.status === status ? (before.lastTransitionTime ?? now) : now;
      const ours = { type: restoredCondition, status, reason, message, lastTransitionTime };
      const figures = figuresCondition(figuresOf(scene.sight, reason), now);
      return { conditions: [...others, ours, figures] };
    },
    { attempts: conflictAttempts },
    scene.signal,
  );
  // How far it is by now is for the condition alone.
  if (reason === 'RestoreInProgress' && told === reason) return;
  deps.announce({
    regarding: { apiVersion: 'v1', kind: 'Pod', namespace, name, uid },
    type: reason === 'RestoreFailed' || reason === 'RestoreIncompatible' ? 'Warning' : 'Normal',
    reason,
    action: 'Restore',
    note: message,
  });
}

/** Carries out one action. */
export async function perform(scene: Scene, action: Action): Promise<void> {
  // The table is typed by action; the one cast of a dispatch.
  const effect = effects[action.do] as (scene: Scene, action: Action) => void | Promise<void>;
  await effect(scene, action);
}
