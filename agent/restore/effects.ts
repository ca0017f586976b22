import { timestamp } from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import { sentinels } from '../../core/api/names.ts';
import { restoredCondition } from '../../core/api/restore.ts';
import { parsePod } from '../../core/api/workload.ts';
import { Failure, isFailure } from '../../core/failure.ts';
import { mutateStatus } from '../../runtime/status-patch.ts';
import type { Sight } from './observe.ts';
import type { Action } from './observed.ts';
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

/** How each action is carried out. Every one may be cut short and done again. */
const effects: Effects = {
  report: (scene, action) => report(scene, action),
  start: ({ state, key, sight }) => {
    const { pod, container, content, marks } = sight;
    if (pod === undefined || content === undefined || marks?.waitingTicks === undefined) return;
    const { namespace, name } = pod.metadata;
    const order = { pod, container, content, ticks: marks.waitingTicks };
    state.works.set(
      key,
      new RestoreWork(state.deps, order, () => state.enqueue(namespace ?? '', name)),
    );
  },
  cancel: ({ state, key }) => {
    const why = new Failure('terminal', 'RestoreFailed', 'the pod is being deleted or has ended');
    state.works.get(key)?.cancel(why);
  },
  fail: async (scene, { message }) => {
    const { uid } = podOf(scene).metadata;
    const { marks } = scene.state.deps;
    try {
      await marks.write(uid, scene.sight.container, sentinels.restoreFailed, message);
    } catch (error) {
      // Without its control directory it is ended from outside, or is gone already.
      if (!isFailure(error, 'gone', 'terminal')) throw error;
    }
  },
  endPlaceholder: async (scene) => {
    const { deps } = scene.state;
    const ticks = scene.sight.marks?.waitingTicks;
    try {
      const init = await deps.resolve(podOf(scene), scene.sight.container, scene.signal);
      if (init.startTicks === ticks) await deps.end(init);
    } catch (error) {
      // Not on this node any more: it has ended.
      if (!isFailure(error, 'terminal')) throw error;
    }
  },
  forget: ({ state, key }) => {
    state.works.delete(key);
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
  await mutateStatus(
    deps.kube,
    { kind: kinds.pod, namespace, name },
    (fresh) => {
      const parsed = parsePod(fresh);
      if (!parsed.ok || parsed.value.metadata.uid !== uid) {
        throw new Failure('gone', 'PodReplaced', `pod ${namespace}/${name} is another one by now`);
      }
      const others = parsed.value.status.conditions.filter(
        ({ type }) => type !== restoredCondition,
      );
      const before = parsed.value.status.conditions.find(({ type }) => type === restoredCondition);
      const lastTransitionTime =
        before?.status === status ? (before.lastTransitionTime ?? now) : now;
      const ours = { type: restoredCondition, status, reason, message, lastTransitionTime };
      return { conditions: [...others, ours] };
    },
    { attempts: conflictAttempts },
    scene.signal,
  );
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
