import { randomBytes } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { chunkBytes, type EncodedChunk, encodeChunk } from '../../../../agent/artifact/chunk.ts';
import {
  leastBytesForThreads,
  openEncoder,
  parallelChunks,
} from '../../../../agent/artifact/chunk-encoder.ts';
import { digestOf } from '../../../../agent/store/digest.ts';

const random = randomBytes(chunkBytes);
const text = Buffer.alloc(chunkBytes, 'all work and no play ');
const mixed = Buffer.concat([random.subarray(0, chunkBytes / 2), text.subarray(chunkBytes / 2)]);
const raws: readonly (readonly [string, Buffer])[] = [
  ['random', random],
  ['text', text],
  ['half of each', mixed],
  ['zeros', Buffer.alloc(chunkBytes)],
  ['short', text.subarray(0, 777)],
  ['one byte', Buffer.from([7])],
];

/** What an encoder makes of bytes, copied while it is valid. */
async function encoded(totalBytes: number, raw: Buffer): Promise<EncodedChunk & { copy?: Buffer }> {
  await using encoder = openEncoder(totalBytes);
  const found: (EncodedChunk & { copy?: Buffer })[] = [];
  await encoder.encode(
    raw.byteLength,
    async (into) => void raw.copy(into),
    async (chunk) => {
      found.push('bytes' in chunk ? { ...chunk, copy: Buffer.from(chunk.bytes) } : chunk);
    },
  );
  const [one] = found;
  if (one === undefined) throw new Error('nothing was encoded');
  return one;
}

describe('an encoder of chunks', () => {
  it.each(raws)('makes the same of %s on a thread as on this one', async (_, raw) => {
    const expected = encodeChunk(Buffer.from(raw));
    for (const totalBytes of [0, leastBytesForThreads]) {
      const { chunk, copy } = await encoded(totalBytes, raw);
      expect(chunk).toEqual(expected.chunk);
      if (copy !== undefined && 'digest' in expected) expect(digestOf(copy)).toBe(expected.digest);
    }
  });

  it('holds a bounded number of chunks, however many are asked for and by however many publishes', async () => {
    let held = 0;
    let most = 0;
    const one = async (totalBytes: number): Promise<void> => {
      await using encoder = openEncoder(totalBytes);
      const encode = (fill: number): Promise<void> =>
        encoder.encode(
          chunkBytes,
          async (into) => {
            held += 1;
            most = Math.max(most, held);
            into.fill(fill);
          },
          async ({ chunk }) => {
            expect(chunk.sizeBytes).toBe(chunkBytes);
            held -= 1;
          },
        );
      await Promise.all(Array.from({ length: 20 }, (_, index) => encode(index + 1)));
    };
    await Promise.all([one(leastBytesForThreads), one(leastBytesForThreads), one(0)]);
    expect(most).toBeGreaterThan(1);
    expect(most).toBeLessThanOrEqual(parallelChunks);
  });

  it('gives its buffer back when reading or storing fails', async () => {
    await using encoder = openEncoder(leastBytesForThreads);
    const failing = new Error('EIO');
    for (let round = 0; round < 3 * parallelChunks; round += 1) {
      const reads = encoder.encode(
        5,
        () => Promise.reject(failing),
        async () => {},
      );
      await expect(reads).rejects.toBe(failing);
      const stores = encoder.encode(
        5,
        async () => {},
        () => Promise.reject(failing),
      );
      await expect(stores).rejects.toBe(failing);
    }
  });
});
