/** Receives one line of progress. */
export type Log = (line: string) => void;

/** A stopwatch: call the result for the time since, such as `1.4 s` or `5 min 46 s`. */
export function elapsed(): () => string {
  const start = performance.now();
  return () => duration(performance.now() - start);
}

/** Time in words. */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
}

/** Prints progress to standard error, so that standard output stays for results. */
export const logToTerminal: Log = (line) => {
  process.stderr.write(`bed: ${line}\n`);
};
