const unitMilliseconds = new Map([
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** `90m`, `24h`, `7d`, `1h30m` -> milliseconds; undefined for anything else. */
export function parseDuration(text: string): number | undefined {
  if (!/^([0-9]{1,6}[smhd])+$/.test(text)) return undefined;
  let sum = 0;
  for (const [, count, unit = ''] of text.matchAll(/([0-9]+)([smhd])/g)) {
    sum += Number(count) * (unitMilliseconds.get(unit) ?? 0);
  }
  return sum;
}

/** Each step of an age: below `limit` seconds it is shown in `unit`, with the next smaller unit behind it where `rest` names one. */
const steps: readonly {
  readonly limit: number;
  readonly unit: readonly [number, string];
  readonly rest?: readonly [number, string];
}[] = [
  { limit: 120, unit: [1, 's'] },
  { limit: 600, unit: [60, 'm'], rest: [1, 's'] },
  { limit: 10_800, unit: [60, 'm'] },
  { limit: 28_800, unit: [3600, 'h'], rest: [60, 'm'] },
  { limit: 172_800, unit: [3600, 'h'] },
  { limit: 691_200, unit: [86_400, 'd'], rest: [3600, 'h'] },
  { limit: 63_072_000, unit: [86_400, 'd'] },
  { limit: 252_288_000, unit: [31_536_000, 'y'], rest: [86_400, 'd'] },
];

/** `90000` -> `90s`, `330000` -> `5m30s`, `7200000` -> `120m`: the very texts of kubectl (HumanDuration of k8s.io/apimachinery). */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  const step = steps.find(({ limit }) => seconds < limit) ?? { unit: [31_536_000, 'y'] as const };
  const [length, letter] = step.unit;
  const whole = `${Math.floor(seconds / length)}${letter}`;
  if (!('rest' in step) || step.rest === undefined) return whole;
  const rest = Math.floor((seconds % length) / step.rest[0]);
  return rest === 0 ? whole : `${whole}${rest}${step.rest[1]}`;
}

/** The age of a moment in RFC 3339 as a column shows it; `<unknown>` where there is none, as kubectl says it. */
export function ageSince(moment: string | undefined, nowMilliseconds: number): string {
  const at = Date.parse(moment ?? '');
  return Number.isNaN(at) ? '<unknown>' : formatAge(nowMilliseconds - at);
}
