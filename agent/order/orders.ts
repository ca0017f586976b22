import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { errorText, Failure } from '../../core/failure.ts';
import { callWithin } from '../../runtime/call-within.ts';
import {
  type Reconciler,
  type ReconcilerOptions,
  runReconciler,
} from '../../runtime/reconciler.ts';
import type { WorkQueue } from '../../runtime/work-queue.ts';
import type { OrderDeps } from './deps.ts';
import { PublishTurns } from './publish-turns.ts';
import { reconcileOrder } from './reconcile.ts';
import { OrderBook, type OrderRecord } from './record.ts';
import { reserveAgain } from './reserve.ts';
import { TurnQueue } from './turn.ts';
import { shuttingDown } from './work.ts';

/** Orders looked at in parallel; a look is short, lasting work runs beside. */
const reconcileSlots = 4;

/** The order machine of one agent. */
export type Orders = {
  /** Something about a content may have changed. */
  readonly enqueue: (contentName: string) => void;
  /** Something about a pod may have changed: looks at the orders that name it. */
  readonly enqueueForPod: (namespace: string, name: string) => void;
  /** Looks at every order the journal knows; the rest comes with the caches. */
  readonly enqueueOpen: () => void;
  /** For metrics. */
  readonly queue: WorkQueue;
  readonly waitingForTurn: () => number;
  readonly waitingToPublish: () => number;
  /** Takes up nothing new, thaws what is frozen, leaves publishes resumable and gives the leases back. */
  readonly stop: (graceMilliseconds: number) => Promise<void>;
};

/** Starts it; nothing happens before something is enqueued. `dumps`, `publishes`: how many may run on the node at a time. */
export function startOrders(
  deps: OrderDeps,
  options: {
    readonly dumps: number;
    readonly publishes: number;
    readonly queueObserver: ReconcilerOptions['queueObserver'];
    readonly ended: ReconcilerOptions['ended'];
  },
): Orders {
  const book = new OrderBook();
  const enqueue = (contentName: string): void => reconciler.add(contentName);
  const changed = (uid: string): void => {
    const record = book.find(uid);
    if (record !== undefined) enqueue(record.contentName);
  };
  const turns = new TurnQueue(options.dumps, changed);
  const publishTurns = new PublishTurns(options.publishes, changed);
  const state = { deps, book, turns, publishTurns, enqueue };
  reserveAgain(deps);
  const reconciler: Reconciler = runReconciler({
    name: 'order',
    slots: reconcileSlots,
    clock: deps.clock,
    random: deps.random,
    log: deps.log,
    queueObserver: options.queueObserver,
    ended: options.ended,
    fenced: (failure) => deps.log.error({ error: failure.message }, 'an order was fenced'),
    reconcile: (contentName, signal) => reconcileOrder(state, contentName, signal),
  });
  const namesPod = (content: PodSnapshotContent, namespace: string, name: string): boolean =>
    content.spec.snapshotRef.namespace === namespace && content.spec.source.podRef?.name === name;
  return {
    enqueue,
    enqueueForPod: (namespace, name) => {
      for (const content of deps.cache.contents()) {
        if (namesPod(content, namespace, name)) enqueue(content.metadata.name);
      }
    },
    enqueueOpen: () => {
      for (const intent of deps.journal.open()) enqueue(intent.contentName);
    },
    queue: reconciler.queue,
    waitingForTurn: () => turns.depth,
    waitingToPublish: () => publishTurns.depth,
    stop: async (graceMilliseconds) => {
      const endsAt = deps.clock.monotonicMilliseconds() + graceMilliseconds;
      const why = new Failure('retry', shuttingDown, 'the agent is shutting down');
      const cancelAll = (): void => {
        for (const record of book.all()) record.work?.cancel(why);
      };
      cancelAll();
      await reconciler.stop(graceMilliseconds);
      // A reconcile that was under way may have started one more.
      cancelAll();
      const left = Math.max(leastMilliseconds, endsAt - deps.clock.monotonicMilliseconds());
      await Promise.all(book.all().map((record) => restWithin(deps, record, left)));
    },
  };
}

/** For work that was told to stop late, and for the release of its lease. */
const leastMilliseconds = 1000;
const never = new AbortController().signal;

/**
 * Waits for the end of an order's work, then gives its lease back. A lease whose work goes on is left to run out: nobody else may begin
 * before that work has ended.
 */
async function restWithin(
  deps: OrderDeps,
  { work, lease, contentName }: OrderRecord,
  milliseconds: number,
): Promise<void> {
  try {
    if (work !== undefined) await callWithin(deps.clock, milliseconds, never, () => work.finished);
    await lease?.release();
  } catch (error) {
    deps.log.error({ contentName, error: errorText(error) }, 'an order is not at rest in time');
  }
}
