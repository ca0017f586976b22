import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { errorCode } from '../error-code.ts';

/** What a write past the page cache has to be a multiple of, in length, position and place in memory: at least any disk's block. */
const blockBytes = 4096;
/** Smaller ones are not worth opening the file a second time. */
const leastBytesPastCache = 2 ** 20;

/** What file systems say that cannot do it at all, or not from this place in memory. */
const refusals: readonly unknown[] = ['EINVAL', 'EOPNOTSUPP', 'ENOTSUP'];

/**
 * Fills a new file. Whole blocks go past the page cache where file system and memory allow it: no copy into it, no second pass to bring them from
 * there to the disk, and nothing pushed out of it for bytes that nobody may read for long. Nothing is durable before a sync.
 */
export async function writeBytes(file: FileHandle, bytes: Uint8Array): Promise<void> {
  let at = bytes.byteLength < leastBytesPastCache ? 0 : await writePastCache(file, bytes);
  while (at < bytes.byteLength) {
    const { bytesWritten } = await file.write(bytes, at, bytes.byteLength - at, at);
    if (bytesWritten === 0) throw new Error('a write took nothing');
    at += bytesWritten;
  }
}

/** How many of the first bytes were written so. */
async function writePastCache(file: FileHandle, bytes: Uint8Array): Promise<number> {
  const whole = bytes.byteLength - (bytes.byteLength % blockBytes);
  try {
    // The same file, by its descriptor: no name is looked up again.
    const path = `/proc/self/fd/${file.fd}`;
    await using direct = await open(path, constants.O_WRONLY | constants.O_DIRECT);
    const { bytesWritten } = await direct.write(bytes, 0, whole, 0);
    return bytesWritten;
  } catch (error) {
    if (refusals.includes(errorCode(error))) return 0;
    throw error;
  }
}
