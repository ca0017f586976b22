import { readFile, rename, writeFile } from 'node:fs/promises';
import { encodeFields, type Field, parseFields } from '../../criu-images/protobuf.ts';

/** First two words of the image that lists open files: CRIU's common magic number and this image's own. */
const magic = Buffer.from('1943565438313056', 'hex');
/** Where an entry of that list has its timer (file_entry.tfd), and a timer its parts (timerfd_entry). */
const timerField = 12;
const part = { seconds: 7, nanoseconds: 8, intervalSeconds: 9, intervalNanoseconds: 10 } as const;

/**
 * Puts right what CRIU 4.2 saves of periodic timer descriptors. One whose tick is due and not read yet shows no time left, because the kernel starts
 * its next period with the read; CRIU saves that as it is, and its restore takes no time left for a timer that is not armed. Almost any freeze
 * outlasts a short period, so the program would never hear of its timer again. Such a timer gets a whole period.
 */
export async function mendTimers(imagesDirectory: string): Promise<void> {
  const path = `${imagesDirectory}/files.img`;
  const image = await readFile(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  const mended = image === undefined ? undefined : withMendedTimers(image);
  if (mended === undefined) return;
  await writeFile(`${path}.new`, mended, { mode: 0o600, flag: 'wx' });
  await rename(`${path}.new`, path);
}

/** The image with its timers mended; undefined where there is nothing to mend, or where it is not as this version of CRIU writes it. */
export function withMendedTimers(image: Buffer): Buffer | undefined {
  if (!image.subarray(0, magic.byteLength).equals(magic)) return undefined;
  const pieces: Buffer[] = [magic];
  let changed = false;
  for (let at = magic.byteLength; at < image.byteLength; ) {
    if (at + 4 > image.byteLength) return undefined;
    const end = at + 4 + image.readUInt32LE(at);
    if (end > image.byteLength) return undefined;
    const entry = image.subarray(at + 4, end);
    const mended = mendedEntry(entry) ?? entry;
    changed ||= mended !== entry;
    const length = Buffer.alloc(4);
    length.writeUInt32LE(mended.byteLength);
    pieces.push(length, mended);
    at = end;
  }
  return changed ? Buffer.concat(pieces) : undefined;
}

function mendedEntry(entry: Buffer): Buffer | undefined {
  const fields = parseFields(entry);
  const timer = fields?.find((each) => each.field === timerField);
  const parts = timer !== undefined && 'bytes' in timer ? parseFields(timer.bytes) : undefined;
  if (fields === undefined || parts === undefined) return undefined;
  const numberIn = (field: number): bigint => {
    const found = parts.find((each) => each.field === field);
    return found !== undefined && 'value' in found ? found.value : 0n;
  };
  const left = numberIn(part.seconds) + numberIn(part.nanoseconds);
  const period = numberIn(part.intervalSeconds) + numberIn(part.intervalNanoseconds);
  if (left !== 0n || period === 0n) return undefined;
  const whole = new Map<number, bigint>([
    [part.seconds, numberIn(part.intervalSeconds)],
    [part.nanoseconds, numberIn(part.intervalNanoseconds)],
  ]);
  const bytes = encodeFields(
    parts.map((each): Field => {
      const value = whole.get(each.field);
      return value === undefined ? each : { field: each.field, value };
    }),
  );
  return encodeFields(fields.map((each) => (each === timer ? { field: timerField, bytes } : each)));
}
