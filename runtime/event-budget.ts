import type { Clock } from '../core/clock.ts';

const burst = 25;
const refillMilliseconds = 12_000;

type Bucket = { tokens: number; at: number };

/** A token bucket for each object: bursts of 25 events, then one in 12 s, so that one object in trouble cannot flood the server. */
export class EventBudget {
  readonly #clock: Clock;
  readonly #buckets = new Map<string, Bucket>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Takes a token of the object if there is one. */
  allows(uid: string): boolean {
    const now = this.#clock.monotonicMilliseconds();
    if (this.#buckets.size > 1000) this.#forgetFull(now);
    const bucket = this.#buckets.get(uid) ?? { tokens: burst, at: now };
    const tokens = Math.min(burst, bucket.tokens + (now - bucket.at) / refillMilliseconds);
    const allowed = tokens >= 1;
    this.#buckets.set(uid, { tokens: allowed ? tokens - 1 : tokens, at: now });
    return allowed;
  }

  #forgetFull(now: number): void {
    for (const [uid, bucket] of this.#buckets) {
      if (bucket.tokens + (now - bucket.at) / refillMilliseconds >= burst)
        this.#buckets.delete(uid);
    }
  }
}
