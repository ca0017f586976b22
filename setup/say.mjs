/**
 * A reason for which the set-up cannot go on: one sentence for the user that says what to do.
 */
export class Obstacle extends Error {}

/**
 * Prints one line of progress; to standard error, so that the program's own output stays clean.
 * @param {string} line
 */
export function say(line) {
  process.stderr.write(`setup: ${line}\n`);
}

/**
 * Stopwatch: call the result for the time since, in words.
 * @returns {() => string}
 */
export function elapsed() {
  const start = performance.now();
  return () => {
    const seconds = (performance.now() - start) / 1000;
    if (seconds < 60) return `${seconds.toFixed(1)} s`;
    return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  };
}
