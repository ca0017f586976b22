import type { Clock } from '../core/clock.ts';
import { errorText, Failure, isFailure } from '../core/failure.ts';
import { queueBackOff, type Random } from './back-off.ts';
import type { Log } from './log.ts';
import { type QueueObserver, WorkQueue } from './work-queue.ts';

/** What a reconcile wants next: nothing until something changes, or another look after a while even if nothing does. */
export type Next = { readonly done: true } | { readonly againAfterMilliseconds: number };

/** Nothing more to do until a change. */
export const done: Next = { done: true };

/** Another look after `milliseconds`, sooner if something changes. */
export const againAfter = (milliseconds: number): Next => ({
  againAfterMilliseconds: milliseconds,
});

/** How a reconcile ended; a label of metrics. */
export type ReconcileOutcome =
  | 'done'
  | 'again'
  | 'retry'
  | 'conflict'
  | 'dropped'
  | 'fenced'
  | 'stopped';

export type ReconcilerOptions = {
  readonly name: string;
  readonly slots: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly queueObserver: QueueObserver;
  readonly ended: (outcome: ReconcileOutcome) => void;
  /** Called when a reconcile found that this process no longer holds the right to act; all its work stops. */
  readonly fenced: (failure: Failure) => void;
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<Next>;
};

export type Reconciler = {
  readonly queue: WorkQueue;
  readonly add: (key: string) => void;
  readonly addAfter: (key: string, milliseconds: number) => void;
  /** Takes up nothing more and waits for what runs; its signal aborts after the grace. */
  readonly stop: (graceMilliseconds: number) => Promise<void>;
};

/** A conflict means that our view was old; the pause lets the watch bring the newer one. */
const conflictPauseMilliseconds = 20;

/** Runs `reconcile` for each key added, and turns the kind of its failure into what the queue does next. */
export function runReconciler(options: ReconcilerOptions): Reconciler {
  const failed = (key: string, error: unknown, signal: AbortSignal): ReconcileOutcome => {
    const { log, name } = options;
    const fields = { reconciler: name, key, error: errorText(error) };
    if (signal.aborted && !isFailure(error)) return 'stopped';
    if (isFailure(error, 'fenced')) {
      log.warn(fields, 'fenced: this process no longer holds the right to act');
      void queue.stop(0);
      options.fenced(error);
      return 'fenced';
    }
    if (isFailure(error, 'gone', 'terminal')) {
      queue.forget(key);
      log.warn({ ...fields, reason: error.reason, kind: error.kind }, 'reconcile given up');
      return 'dropped';
    }
    const conflict = isFailure(error, 'conflict');
    const atLeast = conflict
      ? conflictPauseMilliseconds
      : ((isFailure(error) ? error.retryAfterMilliseconds : undefined) ?? 0);
    const delayMilliseconds = Math.round(queue.retry(key, atLeast));
    const stack = error instanceof Error && !(error instanceof Failure) ? error.stack : undefined;
    const level = stack === undefined ? 'info' : 'error';
    log[level]({ ...fields, delayMilliseconds, stack }, 'reconcile will be tried again');
    return conflict ? 'conflict' : 'retry';
  };
  const work = async (key: string, signal: AbortSignal): Promise<void> => {
    try {
      const next = await options.reconcile(key, signal);
      queue.forget(key);
      if ('againAfterMilliseconds' in next) queue.addAfter(key, next.againAfterMilliseconds);
      options.ended('done' in next ? 'done' : 'again');
    } catch (error) {
      options.ended(failed(key, error, signal));
    }
  };
  const queue: WorkQueue = new WorkQueue({
    slots: options.slots,
    backOff: queueBackOff,
    clock: options.clock,
    random: options.random,
    observer: options.queueObserver,
    work,
  });
  return {
    queue,
    add: (key) => queue.add(key),
    addAfter: (key, milliseconds) => queue.addAfter(key, milliseconds),
    stop: (graceMilliseconds) => queue.stop(graceMilliseconds),
  };
}
