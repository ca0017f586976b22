import type { Clock } from '../core/clock.ts';
import { type BackOff, backOffMilliseconds, type Random } from './back-off.ts';

/** What a queue reports; for metrics. */
export type QueueObserver = {
  /** A key was taken up after waiting this long. */
  readonly started: (waitedMilliseconds: number) => void;
  readonly finished: (tookMilliseconds: number) => void;
  readonly retried: (delayMilliseconds: number) => void;
};

export const silentQueueObserver: QueueObserver = {
  started: () => {},
  finished: () => {},
  retried: () => {},
};

export type WorkQueueOptions = {
  /** Keys worked on at the same time. */
  readonly slots: number;
  readonly backOff: BackOff;
  readonly clock: Clock;
  readonly random: Random;
  readonly observer: QueueObserver;
  /** Must not reject: a rejection ends the process like any unhandled one. */
  readonly work: (key: string, signal: AbortSignal) => Promise<void>;
};

type Delay = { readonly dueAt: number; readonly cancel: () => void };

/**
 * Keys to work on: each at most once in the queue and at most once at work; a key added while at work runs once more afterwards.
 * First come, first served; a key that was added again goes to the end.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions;
  /** Insertion order is the queue; the value is when the key came, on the monotonic clock. */
  readonly #waiting = new Map<string, number>();
  readonly #busy = new Set<string>();
  readonly #delays = new Map<string, Delay>();
  readonly #failures = new Map<string, number>();
  readonly #abort = new AbortController();
  #stopped = false;
  readonly #whenIdle: (() => void)[] = [];

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  /** Keys waiting for a slot, those at work and those delayed not counted. */
  get depth(): number {
    return this.#waiting.size;
  }

  /** Keys at work. */
  get active(): number {
    return this.#busy.size;
  }

  /** How long the oldest waiting key has waited, in milliseconds; 0 when none waits. */
  oldestWaitMilliseconds(): number {
    for (const since of this.#waiting.values()) return this.#now() - since;
    return 0;
  }

  /** To be worked on as soon as a slot is free. A delay of the same key stays: who asked for it may rely on it. */
  add(key: string): void {
    if (this.#stopped || this.#waiting.has(key)) return;
    this.#waiting.set(key, this.#now());
    this.#pump();
  }

  /** Adds the key later; of several delays of a key the earliest wins. */
  addAfter(key: string, milliseconds: number): void {
    if (this.#stopped) return;
    if (milliseconds <= 0) {
      this.add(key);
      return;
    }
    const dueAt = this.#now() + milliseconds;
    const earlier = this.#delays.get(key);
    if (earlier !== undefined && earlier.dueAt <= dueAt) return;
    earlier?.cancel();
    const cancel = this.#options.clock.after(milliseconds, () => {
      this.#delays.delete(key);
      this.add(key);
    });
    this.#delays.set(key, { dueAt, cancel });
  }

  /** Adds the key after its back-off, which grows with each call until `forget`; never sooner than `atLeastMilliseconds`. Returns the delay. */
  retry(key: string, atLeastMilliseconds: number): number {
    const failures = (this.#failures.get(key) ?? 0) + 1;
    this.#failures.set(key, failures);
    const pause = backOffMilliseconds(this.#options.backOff, failures, this.#options.random);
    const delay = Math.max(pause, atLeastMilliseconds);
    this.#options.observer.retried(delay);
    this.addAfter(key, delay);
    return delay;
  }

  /** The key did well: its back-off starts from the beginning. */
  forget(key: string): void {
    this.#failures.delete(key);
  }

  /** Takes up nothing more, waits for what is at work, and aborts its signal once the grace is over. */
  async stop(graceMilliseconds: number): Promise<void> {
    this.#stopped = true;
    for (const delay of this.#delays.values()) delay.cancel();
    this.#delays.clear();
    this.#waiting.clear();
    if (this.#busy.size === 0) return;
    const stopping = (): void => this.#abort.abort(new Error('the work queue stops'));
    const cancel = this.#options.clock.after(graceMilliseconds, stopping);
    await new Promise<void>((resolve) => {
      this.#whenIdle.push(resolve);
    });
    cancel();
  }

  #now(): number {
    return this.#options.clock.monotonicMilliseconds();
  }

  #pump(): void {
    for (const [key, since] of this.#waiting) {
      if (this.#stopped || this.#busy.size >= this.#options.slots) return;
      if (this.#busy.has(key)) continue;
      this.#waiting.delete(key);
      this.#busy.add(key);
      void this.#run(key, since);
    }
  }

  async #run(key: string, since: number): Promise<void> {
    const startedAt = this.#now();
    this.#options.observer.started(startedAt - since);
    try {
      await this.#options.work(key, this.#abort.signal);
    } finally {
      this.#options.observer.finished(this.#now() - startedAt);
      this.#busy.delete(key);
      this.#pump();
      if (this.#stopped && this.#busy.size === 0) {
        for (const resolve of this.#whenIdle.splice(0)) resolve();
      }
    }
  }
}
