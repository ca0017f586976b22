import type { Decision } from '../core/decision.ts';
import { Failure, isFailure } from '../core/failure.ts';
import { againAfter, done, type Next } from '../runtime/reconciler.ts';

/** What an action taught: the fields of the observation that it replaced by newer ones, or nothing. */
export type Finding<Observed> = Partial<Observed> | undefined;

/** One kind's observe, decide and effects. */
export type Loop<Observed, Action> = {
  /** Undefined when the object is gone. */
  readonly observe: (key: string, signal: AbortSignal) => Promise<Observed | undefined>;
  readonly decide: (observed: Observed) => Decision<Action>;
  readonly perform: (
    action: Action,
    observed: Observed,
    signal: AbortSignal,
  ) => Promise<Finding<Observed>>;
};

/** Each finding brings a phase on; more rounds than there are phases would be a circle. */
const maximumRounds = 8;

/**
 * The reconcile of a kind: observe, decide, act. An action that found something out (a refusal, the answer to a cancel) ends the round,
 * and decide sees the finding at once: no second look at a cache that may lag behind.
 */
export function reconcileWith<Observed, Action>(
  loop: Loop<Observed, Action>,
): (key: string, signal: AbortSignal) => Promise<Next> {
  const settle = async (start: Observed, signal: AbortSignal): Promise<Next> => {
    let observed = start;
    for (let round = 0; round < maximumRounds; round += 1) {
      const decision = loop.decide(observed);
      const finding = await firstFinding(loop, decision.actions, observed, signal);
      if (finding === undefined) {
        return decision.againAfterMilliseconds === undefined
          ? done
          : againAfter(decision.againAfterMilliseconds);
      }
      observed = { ...observed, ...finding };
    }
    throw new Failure('retry', 'NoProgress', `no decision after ${maximumRounds} rounds`);
  };
  return async (key, signal) => {
    const observed = await loop.observe(key, signal);
    if (observed === undefined) return done;
    try {
      return await settle(observed, signal);
    } catch (error) {
      throw asTransient(error);
    }
  };
}

async function firstFinding<Observed, Action>(
  loop: Loop<Observed, Action>,
  actions: readonly Action[],
  observed: Observed,
  signal: AbortSignal,
): Promise<Finding<Observed>> {
  for (const action of actions) {
    const finding = await loop.perform(action, observed, signal);
    if (finding !== undefined) return finding;
  }
  return undefined;
}

/**
 * Nothing in a reconcile is final but what stands in a status: a write to an object that has gone means that the observation was old,
 * and a refusal (a missing right) may be mended. Either way the key must come back.
 */
function asTransient(error: unknown): unknown {
  if (isFailure(error, 'gone')) {
    return new Failure('conflict', error.reason, error.message, { cause: error });
  }
  if (isFailure(error, 'terminal')) {
    return new Failure('retry', error.reason, error.message, { cause: error });
  }
  return error;
}
