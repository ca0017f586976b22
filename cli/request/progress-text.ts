import { formatBytes, formatMilliseconds } from '../../core/units.ts';
import type { RequestView } from './view.ts';

/** What a request does right now, in one line of plain text: stage, what is waited for, bytes, rate, time left. Pure. */
export function progressText(view: RequestView, nowMilliseconds: number): string {
  const { metadata, standing } = view;
  const { state, reason, message } = standing;
  const waits = reason === '' || reason === state ? '' : ` (${reason})`;
  const said = message === '' ? '' : `: ${message.split('\n')[0]}`;
  const figures = progressFigures(view, nowMilliseconds);
  return `${view.word} ${metadata.name} ${state}${waits}${figures === '' ? said : `: ${figures}`}`;
}

/** `230 MiB of 512 MiB, 45 %, 120 MiB/s, 2.0 s left`; '' where nothing is known. */
export function progressFigures({ standing, bytes }: RequestView, nowMilliseconds: number): string {
  const { progress, end } = standing;
  if (progress === undefined) {
    return end === undefined && bytes !== undefined ? `${formatBytes(bytes)} fetched` : '';
  }
  const { bytesDone, bytesTotal, bytesPerSecond, estimatedCompletionTime } = progress;
  const left = Date.parse(estimatedCompletionTime ?? '') - nowMilliseconds;
  return [
    `${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)}`,
    `${Math.floor(100 * shareOf(bytesDone, bytesTotal))} %`,
    ...(bytesPerSecond === undefined ? [] : [`${formatBytes(bytesPerSecond)}/s`]),
    ...(left > 0 ? [`${formatMilliseconds(left)} left`] : []),
  ].join(', ');
}

const shareOf = (done: number, total: number): number =>
  total === 0 ? 1 : Math.min(1, done / total);

const barCells = 24;

/** The same with a bar, no wider than the terminal: a line that wraps cannot be drawn over. Pure. */
export function progressBar(view: RequestView, nowMilliseconds: number, columns: number): string {
  const { progress } = view.standing;
  if (progress === undefined) return progressText(view, nowMilliseconds).slice(0, columns - 1);
  const full = Math.floor(barCells * shareOf(progress.bytesDone, progress.bytesTotal));
  const bar = `[${'#'.repeat(full)}${'.'.repeat(barCells - full)}]`;
  const figures = progressFigures(view, nowMilliseconds);
  return `${view.metadata.name} ${view.standing.state} ${bar} ${figures}`.slice(0, columns - 1);
}
