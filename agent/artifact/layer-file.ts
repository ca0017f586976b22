import { createHash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createZstdCompress } from 'node:zlib';
import type { TarBlob } from './config.ts';

/**
 * Compresses a tar into a new file, because a blob must be named before it is stored. The file needs no sync: a publish that is taken up again
 * makes it anew. `onBytes` hears of raw bytes.
 */
export async function writeLayerFile(
  path: string,
  tar: AsyncIterable<Buffer>,
  onBytes: (count: number) => void,
  signal: AbortSignal,
): Promise<TarBlob> {
  const file = await open(path, 'wx', 0o600);
  try {
    return await compressInto(file, tar, onBytes, signal);
  } finally {
    await file.close();
  }
}

async function compressInto(
  file: FileHandle,
  tar: AsyncIterable<Buffer>,
  onBytes: (count: number) => void,
  signal: AbortSignal,
): Promise<TarBlob> {
  const hasher = createHash('sha256');
  let sizeBytes = 0;
  let storedBytes = 0;
  const counted = async function* (): AsyncGenerator<Buffer> {
    for await (const piece of tar) {
      if (piece.byteLength === 0) continue; // Nothing to a stream of bytes but a chance to end early.
      sizeBytes += piece.byteLength;
      onBytes(piece.byteLength);
      yield piece;
    }
  };
  const write = async (pressed: AsyncIterable<Buffer>): Promise<void> => {
    for await (const piece of pressed) {
      hasher.update(piece);
      storedBytes += piece.byteLength;
      await file.writeFile(piece);
    }
  };
  const compress = createZstdCompress({
    params: { [constants.ZSTD_c_compressionLevel]: 1 },
    chunkSize: 1 << 20,
  });
  const source = Readable.from(counted(), { objectMode: false });
  await pipeline(source, compress, write, { signal });
  return { digest: `sha256:${hasher.digest('hex')}`, sizeBytes, storedBytes };
}
