import type { Clock } from '../../core/clock.ts';
import { FirstSeen } from '../first-seen.ts';

/**
 * What a running controller remembers of snapshots beside the cluster: moments on its monotonic clock. Losing it costs at most a
 * write too many or a longer patience, never a wrong verdict.
 */
export class SnapshotMemory {
  readonly #clock: Clock;
  readonly #writtenAt = new Map<string, number>();
  readonly #cancelled: FirstSeen;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#cancelled = new FirstSeen(clock);
  }

  /** The status of `key` was written just now. */
  wrote(key: string): void {
    this.#writtenAt.set(key, this.#clock.monotonicMilliseconds());
  }

  /** Milliseconds since the last write; infinite where this process made none. */
  sinceWrite(key: string): number {
    const at = this.#writtenAt.get(key);
    return at === undefined ? Number.POSITIVE_INFINITY : this.#clock.monotonicMilliseconds() - at;
  }

  /** Milliseconds since the order of `key` was first seen cancelled; 0 at that moment and while it is not. */
  sinceCancel(key: string, cancelled: boolean): number {
    return this.#cancelled.since(key, cancelled);
  }

  /** The snapshot is gone. */
  forget(key: string): void {
    this.#writtenAt.delete(key);
    this.#cancelled.since(key, false);
  }
}
