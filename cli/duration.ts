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

/** `90000` -> `90s`, `7200000` -> `120m`, as kubectl shows ages: the largest unit that leaves two digits or more. */
export function formatAge(milliseconds: number): string {
  const seconds = Math.max(0, Math.floor(milliseconds / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)}h`;
  return `${Math.floor(seconds / 86_400)}d`;
}
