/** Delays that double up to a limit. `jitter` 0.2 spreads each delay over 80 % to 120 % of it, so that many callers do not come back together. */
export type BackOff = {
  readonly firstMilliseconds: number;
  readonly limitMilliseconds: number;
  readonly factor: number;
  readonly jitter: number;
};

/** Failed keys of a work queue: from 5 ms to 5 minutes. */
export const queueBackOff: BackOff = {
  firstMilliseconds: 5,
  limitMilliseconds: 300_000,
  factor: 2,
  jitter: 0.2,
};

/** Lists and watches that fail: from 0.8 s to 30 s. */
export const reflectorBackOff: BackOff = {
  firstMilliseconds: 800,
  limitMilliseconds: 30_000,
  factor: 2,
  jitter: 0.2,
};

/** A number in [0, 1), as Math.random gives it. */
export type Random = () => number;

/** The pause before the next try after `failures` failures in a row (1 is the first), in milliseconds. */
export function backOffMilliseconds(backOff: BackOff, failures: number, random: Random): number {
  const steps = Math.max(0, failures - 1);
  // A large exponent overflows to Infinity, which the limit brings back.
  const grown = backOff.firstMilliseconds * backOff.factor ** steps;
  const limited = Math.min(backOff.limitMilliseconds, grown);
  return limited * (1 - backOff.jitter + 2 * backOff.jitter * random());
}
