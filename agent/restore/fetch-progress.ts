import type { Clock } from '../../core/clock.ts';
import { formatBytes } from '../../core/units.ts';

const tellEveryMilliseconds = 2000;
/** Of the whole: what is told is written into the pod, and must not be written without end. */
const tellEveryPart = 0.02;

/** Says now and then how far a fetch is: at most every two seconds, and at most fifty times. */
export function fetchProgress(
  clock: Clock,
  totalBytes: number,
  tell: (message: string) => void,
): (bytesSoFar: number) => void {
  let toldAt = clock.monotonicMilliseconds();
  let toldBytes = 0;
  return (bytes) => {
    const now = clock.monotonicMilliseconds();
    if (now - toldAt < tellEveryMilliseconds) return;
    if (bytes - toldBytes < totalBytes * tellEveryPart) return;
    toldAt = now;
    toldBytes = bytes;
    tell(`fetching the artifact: ${formatBytes(bytes)} of ${formatBytes(totalBytes)}`);
  };
}
