import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../core/clock.ts';
import type { Log } from '../runtime/log.ts';

/** Asked again at most this often: a change counts within seconds of the kubelet having brought it. */
const freshMilliseconds = 2000;
const fileName = 'publish-bytes-per-second';

const units: Readonly<Record<string, number>> = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };

/** `100Mi` -> 104857600; undefined for 0, which means no limit; 'unreadable' for anything but a number with Ki, Mi, Gi or nothing. */
export function parseRate(text: string): number | undefined | 'unreadable' {
  const [, digits = '', unit = ''] = /^(\d{1,15})(Ki|Mi|Gi)?$/.exec(text.trim()) ?? [];
  if (digits === '') return 'unreadable';
  const rate = Number(digits) * (units[unit] ?? 1);
  return rate === 0 ? undefined : rate;
}

/**
 * Bytes a second that all publishes of the node together may write; undefined for as many as they can. Kept in a file (a ConfigMap mounted as a
 * directory) that is read again and again, so that it can be changed while a publish runs. What cannot be read changes nothing.
 */
export function publishRate(
  directory: string,
  clock: Clock,
  log: Log,
): () => Promise<number | undefined> {
  let rate: number | undefined;
  let readAt = Number.NEGATIVE_INFINITY;
  let complained = '';
  return async () => {
    const now = clock.monotonicMilliseconds();
    if (now - readAt < freshMilliseconds) return rate;
    readAt = now;
    // No file, no limit: the ConfigMap is optional.
    const text = await readFile(join(directory, fileName), 'utf8').catch(() => '0');
    const parsed = parseRate(text);
    if (parsed !== 'unreadable') {
      if (parsed !== rate)
        log.info({ bytesPerSecond: parsed ?? 0 }, 'the publish rate was changed');
      rate = parsed;
    } else if (text !== complained) {
      complained = text;
      log.warn({ text: text.slice(0, 100), rate }, 'the publish rate cannot be read and stays');
    }
    return rate;
  };
}
