/** A line of CRIU's log at -v4: seconds since CRIU started its log, and the text. */
type LogLine = { readonly seconds: number; readonly text: string };

function parseLine(line: string): LogLine | undefined {
  const match = /^\((\d+\.\d+)\)\s?(.*)$/.exec(line);
  return match === null ? undefined : { seconds: Number(match[1]), text: match[2] ?? '' };
}

/** Errors that CRIU writes into logs of dumps and restores that succeed, on a machine without these capabilities or devices, and whenever its cgroup helper ends. */
const harmless = [
  /Can't setup RLIMIT_NOFILE/,
  /tun: Unable to create tun/,
  /cgroupd: recv req error: No such file/,
];

/** During a restore each process says its number first, and its restorer `pie`. */
const speaker = /^(pie:\s*)?\d+:\s*/;

const linesShown = 5;
const lineLength = 300;

/** The lines of the log of a failed dump or restore that say why: the errors in order, or the last lines where there is none. */
export function decisiveLines(log: string): readonly string[] {
  const lines = log
    .split('\n')
    .map((line) => (parseLine(line)?.text ?? line).trim().replace(speaker, ''))
    .filter((line) => line !== '');
  const errors = lines.filter(
    (line) => /^Error\b/.test(line) && !harmless.some((pattern) => pattern.test(line)),
  );
  const chosen = errors.length > 0 ? errors.slice(0, linesShown) : lines.slice(-2);
  return chosen.map((line) => line.slice(0, lineLength));
}

/**
 * Milliseconds from the first stop of a task to the start of the hold, on CRIU's own clock. CRIU logs a task as seized after it has stopped
 * it, so the line before that is taken as the beginning: never too short. Undefined when the log does not have both.
 */
export function millisecondsFrozenBeforeHold(log: string): number | undefined {
  const lines = log
    .split('\n')
    .map(parseLine)
    .filter((line) => line !== undefined);
  const seized = lines.findIndex((line) => line.text.startsWith('Seized task'));
  const begin = lines[seized - 1];
  const hold = lines.find((line) => line.text.startsWith('Running post-dump scripts'));
  if (begin === undefined || hold === undefined || hold.seconds < begin.seconds) return undefined;
  return (hold.seconds - begin.seconds) * 1000;
}
