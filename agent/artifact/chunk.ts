import { promisify } from 'node:util';
import { constants, zstdCompressSync, zstdDecompress } from 'node:zlib';
import { corruptBlob, digestForPut } from '../store/digest.ts';
import type { Digest } from '../store/store.ts';
import type { Chunk } from './config.ts';

const decompress = promisify(zstdDecompress);

/** Where pages files are cut. A multiple of every page size, and small enough for a handful in memory. */
export const chunkBytes = 4 * 2 ** 20;

const zstdOptions = { params: { [constants.ZSTD_c_compressionLevel]: 1 } };
const samplePieceBytes = 4096;
const samplePieces = 16;
/** Of the raw size: what a sample, and then the whole chunk, must be pressed to, or it is stored raw. */
const worthwhileShare = 0.9;

/** A chunk as it is stored; `bytes` is absent where nothing is. */
export type EncodedChunk =
  | { readonly chunk: Extract<Chunk, { encoding: 'zero' }> }
  | {
      readonly chunk: Exclude<Chunk, { encoding: 'zero' }>;
      readonly digest: Digest;
      readonly bytes: Uint8Array;
    };

const zeros = Buffer.alloc(chunkBytes);

/**
 * For a chunk that is put next, unchanged: zeros are only recorded; the rest is pressed where that pays. `bytes` may be `raw` itself. At most
 * `chunkBytes` long. Works on the calling thread: a publish that is done again must find its own blobs, and zlib's calls that wait and those that
 * do not make frames that differ by a byte.
 */
export function encodeChunk(raw: Buffer): EncodedChunk {
  const sizeBytes = raw.byteLength;
  if (raw.equals(zeros.subarray(0, sizeBytes))) return { chunk: { encoding: 'zero', sizeBytes } };
  if (samplePays(raw)) {
    const pressed = zstdCompressSync(raw, zstdOptions);
    if (pressed.byteLength < sizeBytes * worthwhileShare) return stored('zstd', pressed, sizeBytes);
  }
  return stored('raw', raw, sizeBytes);
}

function stored(encoding: 'raw' | 'zstd', bytes: Uint8Array, sizeBytes: number): EncodedChunk {
  const digest = digestForPut(bytes);
  return {
    chunk: { encoding, sizeBytes, digest, storedBytes: bytes.byteLength },
    digest,
    bytes,
  };
}

/** Pages spread over the chunk: its start alone says little about memory. */
function samplePays(raw: Buffer): boolean {
  const step = Math.max(samplePieceBytes, Math.floor(raw.byteLength / samplePieces));
  const pieces: Buffer[] = [];
  for (let at = 0; at < raw.byteLength; at += step) {
    pieces.push(raw.subarray(at, at + samplePieceBytes));
  }
  const sample = Buffer.concat(pieces);
  return zstdCompressSync(sample, zstdOptions).byteLength < sample.byteLength * worthwhileShare;
}

/** The raw bytes of a stored chunk whose digest was verified; never more than the config announced. */
export async function decodeChunk(
  chunk: Exclude<Chunk, { encoding: 'zero' }>,
  digest: Digest,
  bytes: Buffer,
): Promise<Buffer> {
  const raw = chunk.encoding === 'raw' ? bytes : await unpress(digest, bytes, chunk.sizeBytes);
  if (raw.byteLength !== chunk.sizeBytes) {
    throw corruptBlob(digest, `it holds ${raw.byteLength} bytes instead of ${chunk.sizeBytes}`);
  }
  return raw;
}

async function unpress(digest: Digest, bytes: Buffer, sizeBytes: number): Promise<Buffer> {
  try {
    return await decompress(bytes, { maxOutputLength: sizeBytes });
  } catch (error) {
    throw corruptBlob(digest, `it cannot be decompressed to ${sizeBytes} bytes (${String(error)})`);
  }
}
