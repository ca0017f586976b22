import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createZstdDecompress } from 'node:zlib';
import { isFailure } from '../../core/failure.ts';
import { corruptBlob } from '../store/digest.ts';
import type { TarBlob } from './config.ts';
import { type BlobSource, checkSize } from './read.ts';

/** Decompresses a tar blob into `use`, never more than announced; whatever goes wrong in the bytes is ArtifactCorrupt with the blob's name. */
export async function readTarBlob(
  store: BlobSource,
  blob: TarBlob,
  signal: AbortSignal,
  use: (tar: AsyncIterable<Buffer>) => Promise<void>,
): Promise<void> {
  await checkSize(store, blob.digest, blob.storedBytes, signal);
  let seen = 0;
  const bounded = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      seen += chunk.byteLength;
      if (seen <= blob.sizeBytes) return done(null, chunk);
      done(corruptBlob(blob.digest, `it holds more than ${blob.sizeBytes} bytes`));
    },
  });
  const source = await store.getBlob(blob.digest, undefined, signal);
  try {
    await pipeline(source, createZstdDecompress(), bounded, use, { signal });
  } catch (error) {
    signal.throwIfAborted();
    if (isFailure(error)) throw error;
    throw isSystemError(error)
      ? error
      : corruptBlob(blob.digest, `it cannot be decompressed (${String(error)})`);
  }
  if (seen !== blob.sizeBytes) {
    throw corruptBlob(blob.digest, `it holds ${seen} bytes instead of ${blob.sizeBytes}`);
  }
}

/** Errors of the file system extracted to, as against those of zstd. */
const isSystemError = (error: unknown): boolean => error instanceof Error && 'syscall' in error;
