import type { Clock } from '../core/clock.ts';

/**
 * Since when something holds, as far as this process has seen, on its monotonic clock: neither a clock that jumps nor one of another
 * machine can end a wait early or drag it out. A restart begins the wait again.
 */
export class FirstSeen {
  readonly #clock: Clock;
  readonly #at = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Milliseconds since `key` was first told to hold without a break; 0 at that moment and while it does not. */
  since(key: string, holds: boolean): number {
    if (!holds) {
      this.#at.delete(key);
      return 0;
    }
    const now = this.#clock.monotonicMilliseconds();
    const at = this.#at.get(key) ?? now;
    this.#at.set(key, at);
    return now - at;
  }
}
