import { Failure, isFailure } from '../../core/failure.ts';
import { cacheKey } from '../../runtime/raw-object.ts';
import {
  againAfter,
  done,
  type Next,
  type ReconcilerOptions,
  runReconciler,
} from '../../runtime/reconciler.ts';
import type { WorkQueue } from '../../runtime/work-queue.ts';
import { decide } from './decide.ts';
import type { RestoreDeps } from './deps.ts';
import { perform } from './effects.ts';
import { observe, restoreSource } from './observe.ts';
import type { RestoreState } from './state.ts';
import type { RestoreWork } from './work.ts';

/** Pods looked at in parallel; a look is short, restores run beside. */
const reconcileSlots = 4;
const refusedPauseMilliseconds = 15_000;

/** The restore machine of one agent. */
export type Restores = {
  /** Something about a pod may have changed; one that is not to be restored costs a look into the cache. */
  readonly enqueueForPod: (namespace: string, name: string) => void;
  readonly queue: WorkQueue;
  /** Takes up nothing new and waits for restores that run. */
  readonly stop: (graceMilliseconds: number) => Promise<void>;
};

/** Observe, decide, act for one pod. */
async function reconcilePod(state: RestoreState, key: string, signal: AbortSignal): Promise<Next> {
  const [namespace = '', name = ''] = key.split('/');
  const sight = await observe(state, namespace, name, signal);
  let after: number | undefined;
  for (const action of decide(sight.observed)) {
    signal.throwIfAborted();
    await perform({ state, key, sight, signal }, action);
    if (action.do === 'again') after = action.afterMilliseconds;
  }
  return after === undefined ? done : againAfter(after);
}

/** Starts it; nothing happens before something is enqueued. */
export function startRestores(
  deps: RestoreDeps,
  options: Pick<ReconcilerOptions, 'queueObserver' | 'ended' | 'random'>,
): Restores {
  const works = new Map<string, RestoreWork>();
  const enqueue = (namespace: string, name: string): void =>
    reconciler.add(cacheKey(namespace, name));
  const state: RestoreState = { deps, works, preparations: new Map(), enqueue };
  const reconciler = runReconciler({
    ...options,
    name: 'restore',
    slots: reconcileSlots,
    clock: deps.clock,
    log: deps.log,
    fenced: (failure) => deps.log.error({ error: failure.message }, 'a restore was fenced'),
    reconcile: async (key, signal) => {
      try {
        return await reconcilePod(state, key, signal);
      } catch (error) {
        if (!isFailure(error, 'terminal')) throw error;
        // What is refused today (rights, a policy, an object that does not parse) may pass tomorrow; the pod waits, and says so by not being Ready.
        deps.log.warn({ pod: key, error: error.message }, 'a restore is refused a step');
        return againAfter(refusedPauseMilliseconds);
      }
    },
  });
  const known = new Set<string>();
  return {
    enqueueForPod: (namespace, name) => {
      const pod = deps.pod(namespace, name);
      const key = cacheKey(namespace, name);
      if (pod !== undefined && restoreSource(pod) !== undefined) known.add(key);
      else if (!known.delete(key)) return;
      reconciler.add(key);
    },
    queue: reconciler.queue,
    stop: async (graceMilliseconds) => {
      await reconciler.stop(graceMilliseconds);
      const why = new Failure('retry', 'ShuttingDown', 'the agent is shutting down');
      for (const preparation of state.preparations.values()) preparation.end();
      for (const work of works.values()) work.cancel(why);
      await Promise.all([...works.values()].map((work) => work.finished));
    },
  };
}
