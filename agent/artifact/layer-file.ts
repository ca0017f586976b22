import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress, type ZstdCompress } from 'node:zlib';
import type { TarBlob } from './config.ts';

const pieceBytes = 2 ** 20;

/**
 * Compresses a tar into a new file, because a blob must be named before it is stored. The file needs no sync: a publish that is taken up again
 * makes it anew. Equal tars make equal blobs. `onBytes` hears of raw bytes.
 */
export async function writeLayerFile(
  path: string,
  tar: AsyncIterable<Buffer>,
  onBytes: (count: number) => void,
  signal: AbortSignal,
): Promise<TarBlob> {
  await using file = await open(path, 'wx', 0o600);
  const compress = createZstdCompress({
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
    chunkSize: pieceBytes,
  });
  const [fed, written] = await Promise.allSettled([
    feed(compress, tar, onBytes),
    drain(compress, file, signal),
  ]);
  // The first cause: a failed feed destroys the compressor with it, a failed drain makes the feed end with less to say.
  if (written.status === 'rejected') throw written.reason;
  if (fed.status === 'rejected') throw fed.reason;
  return { sizeBytes: fed.value, ...written.value };
}

/**
 * Each piece is through before the next is given, the last one before the end: a compressor that hears of the end while it still has input makes
 * other bytes of it, and a publish that is done again would not find its own blobs (seen in one of seven with a plain pipeline).
 */
async function feed(
  compress: ZstdCompress,
  tar: AsyncIterable<Buffer>,
  onBytes: (count: number) => void,
): Promise<number> {
  let sizeBytes = 0;
  try {
    for await (const piece of regrouped(tar)) {
      await new Promise<void>((resolve, reject) => {
        // One that is destroyed over a piece never calls back.
        const closed = (): void => reject(new Error('the compressor was closed'));
        compress.once('close', closed);
        compress.write(piece, (error) => {
          compress.off('close', closed);
          if (error) reject(error);
          else resolve();
        });
      });
      sizeBytes += piece.byteLength;
      onBytes(piece.byteLength);
    }
    compress.end();
    return sizeBytes;
  } catch (error) {
    compress.destroy(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

/** The same bytes in pieces of one length (the last shorter): a round trip to the compressor for every header block would cost more than the bytes. */
async function* regrouped(tar: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let piece = Buffer.allocUnsafeSlow(pieceBytes);
  let filled = 0;
  for await (const part of tar) {
    for (let at = 0; at < part.byteLength; ) {
      const copied = part.copy(piece, filled, at);
      at += copied;
      filled += copied;
      if (filled < pieceBytes) continue;
      yield piece;
      piece = Buffer.allocUnsafeSlow(pieceBytes);
      filled = 0;
    }
  }
  if (filled > 0) yield piece.subarray(0, filled);
}

async function drain(
  compress: ZstdCompress,
  file: FileHandle,
  signal: AbortSignal,
): Promise<Pick<TarBlob, 'digest' | 'storedBytes'>> {
  const hasher = createHash('sha256');
  let storedBytes = 0;
  const write = async (pressed: AsyncIterable<Buffer>): Promise<void> => {
    for await (const piece of pressed) {
      hasher.update(piece);
      storedBytes += piece.byteLength;
      await file.writeFile(piece);
    }
  };
  await pipeline(compress, write, { signal });
  return { digest: `sha256:${hasher.digest('hex')}`, storedBytes };
}
