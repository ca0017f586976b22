import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { Failure } from '../../core/failure.ts';
import {
  type Reconciler,
  type ReconcilerOptions,
  runReconciler,
} from '../../runtime/reconciler.ts';
import type { WorkQueue } from '../../runtime/work-queue.ts';
import type { OrderDeps } from './deps.ts';
import { reconcileOrder } from './reconcile.ts';
import { OrderBook } from './record.ts';
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
  /** Takes up nothing new, thaws what is frozen, leaves publishes resumable and gives the leases back. */
  readonly stop: (graceMilliseconds: number) => Promise<void>;
};

/** Starts it; nothing happens before something is enqueued. `dumps`: how many may run on the node at a time. */
export function startOrders(
  deps: OrderDeps,
  options: {
    readonly dumps: number;
    readonly queueObserver: ReconcilerOptions['queueObserver'];
    readonly ended: ReconcilerOptions['ended'];
  },
): Orders {
  const book = new OrderBook();
  const enqueue = (contentName: string): void => reconciler.add(contentName);
  const turns = new TurnQueue(options.dumps, (uid) => {
    const record = book.find(uid);
    if (record !== undefined) enqueue(record.contentName);
  });
  const state = { deps, book, turns, enqueue };
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
    stop: async (graceMilliseconds) => {
      const why = new Failure('retry', shuttingDown, 'the agent is shutting down');
      const cancelAll = (): void => {
        for (const record of book.all()) record.work?.cancel(why);
      };
      cancelAll();
      await reconciler.stop(graceMilliseconds);
      // A reconcile that was under way may have started one more.
      cancelAll();
      await Promise.all(book.all().map((record) => record.work?.finished));
      await Promise.all(book.all().map((record) => record.lease?.release()));
    },
  };
}
