import type { Clock } from '../../core/clock.ts';

type Timer = { readonly dueAt: number; readonly order: number; readonly call: () => void };

/** A clock that stands still until told. Wall and monotonic time move together in `advance`; `jumpWall` moves the wall alone. */
export class FakeClock implements Clock {
  #wall: number;
  #monotonic = 1_000;
  #order = 0;
  readonly #timers = new Set<Timer>();

  constructor(wallMilliseconds: number = Date.UTC(2026, 0, 1)) {
    this.#wall = wallMilliseconds;
  }

  wallMilliseconds(): number {
    return this.#wall;
  }

  monotonicMilliseconds(): number {
    return this.#monotonic;
  }

  after(milliseconds: number, call: () => void): () => void {
    this.#order += 1;
    const timer = { dueAt: this.#monotonic + Math.max(0, milliseconds), order: this.#order, call };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  /** Timers waiting; a leak check. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Sets the wall clock forward or back without any time passing. */
  jumpWall(milliseconds: number): void {
    this.#wall += milliseconds;
  }

  /** Lets the time pass, timer by timer, and all promises settle in between. */
  async advance(milliseconds: number): Promise<void> {
    const end = this.#monotonic + milliseconds;
    await settle();
    for (let next = this.#next(end); next !== undefined; next = this.#next(end)) {
      this.#move(next.dueAt);
      this.#timers.delete(next);
      next.call();
      await settle();
    }
    this.#move(end);
    await settle();
  }

  #move(to: number): void {
    this.#wall += to - this.#monotonic;
    this.#monotonic = to;
  }

  #next(end: number): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueAt > end) continue;
      if (
        first === undefined ||
        timer.dueAt < first.dueAt ||
        (timer.dueAt === first.dueAt && timer.order < first.order)
      ) {
        first = timer;
      }
    }
    return first;
  }
}

/** Lets every promise that can settle without time passing do so. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}
