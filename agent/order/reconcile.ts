import { isFailure } from '../../core/failure.ts';
import { againAfter, done, type Next } from '../../runtime/reconciler.ts';
import { decide } from './decide.ts';
import { perform } from './effects.ts';
import { observe } from './observe.ts';
import { reconcileProvided } from './provided.ts';
import type { OrderState } from './state.ts';

/** Rounds one reconcile may take at once; more than any order needs, so reaching it means that two rules disagree. */
const maximumRounds = 24;
const pauseMilliseconds = 1000;
const refusedPauseMilliseconds = 15_000;

/** Observe, decide, act for every order known under the content's name, until nothing is to be done at once. */
export async function reconcileOrder(
  state: OrderState,
  contentName: string,
  signal: AbortSignal,
): Promise<Next> {
  let soonest: number | undefined;
  for (const uid of uidsOf(state, contentName)) {
    const after = await reconcileOne(state, uid, contentName, signal).catch((error: unknown) => {
      if (!isFailure(error, 'terminal')) throw error;
      // Not the end of the order: what the server refuses today (rights, a policy) may pass tomorrow, and the deadline must still be met.
      state.deps.log.warn({ contentName, uid, error: error.message }, 'an order is refused a step');
      return refusedPauseMilliseconds;
    });
    if (after !== undefined && (soonest === undefined || after < soonest)) soonest = after;
  }
  return soonest === undefined ? done : againAfter(soonest);
}

/** A content that was deleted and made again under its name is another order; what the old one left is cleared first. */
function uidsOf(state: OrderState, contentName: string): ReadonlySet<string> {
  const { deps, book } = state;
  const current = deps.cache.content(contentName)?.metadata.uid;
  const left = deps.journal.open().filter((intent) => intent.contentName === contentName);
  const old = [...book.uidsOf(contentName), ...left.map((intent) => intent.contentUID)];
  return new Set([
    ...old.filter((uid) => uid !== current),
    ...(current === undefined ? [] : [current]),
  ]);
}

/** Milliseconds after which another look is wanted; undefined for none before something changes. */
async function reconcileOne(
  state: OrderState,
  uid: string,
  contentName: string,
  signal: AbortSignal,
): Promise<number | undefined> {
  const content = state.deps.cache.content(contentName);
  if (content?.metadata.uid === uid && content.spec.source.artifact !== undefined) {
    await reconcileProvided(state.deps, content, signal);
    return undefined;
  }
  for (let round = 0; round < maximumRounds; round += 1) {
    const observed = await observe(state, uid, contentName, signal);
    const record = state.book.record(uid, contentName);
    const scene = { state, record, uid, content: observed.content, signal };
    let after: number | undefined;
    for (const action of decide(observed)) {
      signal.throwIfAborted();
      await perform(scene, action);
      if (action.do === 'again') after = Math.min(after ?? Infinity, action.afterMilliseconds);
    }
    if (after !== 0) return after;
  }
  state.deps.log.error({ contentName, uid }, 'an order does not come to rest');
  return pauseMilliseconds;
}
