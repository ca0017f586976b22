/** The value below which `share` (0 to 1) of the values lie; NaN for none. Nearest rank: always a value that was measured. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? Number.NaN;
}

/** What a table and the JSON show of many measurements of one thing. */
export type Spread = {
  readonly count: number;
  readonly least: number;
  readonly median: number;
  readonly p90: number;
  readonly p99: number;
  readonly greatest: number;
};

/** Summarizes measurements. */
export const spreadOf = (values: readonly number[]): Spread => ({
  count: values.length,
  least: quantile(values, 0),
  median: quantile(values, 0.5),
  p90: quantile(values, 0.9),
  p99: quantile(values, 0.99),
  greatest: quantile(values, 1),
});

/** One thing that performance has a goal for. `limit`: the most, or the least, that meets it; ratios and units are the label's business. */
export type Goal = {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  readonly bound: 'at most' | 'at least';
  readonly limit: number;
};

/** A goal without a measurement is not met. */
export const isMet = ({ value, bound, limit }: Goal): boolean =>
  bound === 'at most' ? value <= limit : value >= limit;
