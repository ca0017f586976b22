const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;

/** `1536` -> `1.5 KiB`. For messages, never for parsing. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // Compared as it will be shown: 1023.9 MiB would round to 1024 MiB.
  while (Math.round(value) >= 1024 && unit < binaryUnits.length - 1) {
    value /= 1024;
    unit += 1;
  }
  const text = unit === 0 || value >= 100 ? value.toFixed(0) : value.toFixed(1);
  return `${text} ${binaryUnits[unit]}`;
}

/** `830` -> `830 ms`, `65000` -> `1 min 5 s`. For messages. */
export function formatMilliseconds(milliseconds: number): string {
  if (Math.round(milliseconds) < 1000) return `${Math.round(milliseconds)} ms`;
  const tenths = Math.round(milliseconds / 100);
  if (tenths < 600) return `${(tenths / 10).toFixed(1)} s`;
  const seconds = Math.round(milliseconds / 1000);
  return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
