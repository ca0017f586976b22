import { createHash } from 'node:crypto';
import { type FileHandle, lutimes } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { corruptBlob, digestHex, verifyBytes, verifyingStream } from '../digest.ts';
import { errorCode } from '../error-code.ts';
import type { Digest } from '../store.ts';
import { type ConfinedDirectory, fileSize, openFile } from './confined-directory.ts';
import { removeStale, staleAfterMilliseconds, writeDurably } from './durable-file.ts';
import { groupedFileSync } from './grouped-file-sync.ts';
import { groupedSync } from './grouped-sync.ts';
import { blobPath, makeBelow, temporaryPath, trashPath } from './layout.ts';
import { writeBytes } from './write-bytes.ts';

/** Puts one blob; resolves once it is durable, to whether its bytes were written. */
export type BlobWriter = (
  digest: Digest,
  sizeBytes: number,
  content: Uint8Array | Readable,
  signal: AbortSignal,
  taken: (() => void) | undefined,
) => Promise<boolean>;

/** `now`: wall clock, milliseconds. */
export function blobWriter(root: string, now: () => number): BlobWriter {
  const syncBlobs = groupedSync(async () => {
    await using blobs = await makeBelow(root, blobPath);
    await blobs.handle.sync();
  });
  const syncFile = groupedFileSync();
  let tidied = false;

  return async (digest, sizeBytes, content, signal, taken) => {
    const name = digestHex(digest);
    try {
      await using blobs = await makeBelow(root, blobPath);
      const there = await fileSize(blobs, name);
      if (there === sizeBytes && (await renewIntact(blobs, digest, now(), signal))) {
        await syncBlobs();
        return false;
      }
      await using temporary = await makeBelow(root, temporaryPath);
      if (!tidied) {
        await removeStale(temporary, now() - staleAfterMilliseconds);
        // A store that is full by then could not make it, and could free nothing.
        await (await makeBelow(root, trashPath))[Symbol.asyncDispose]();
        tidied = true;
      }
      const written = await writeDurably(
        { temporary, target: blobs, name },
        // What stands there is damaged, and its name says what it must be.
        there === undefined ? 'keep' : 'replace',
        async (file) => {
          if (content instanceof Readable) {
            const sink = (chunks: AsyncIterable<Uint8Array>) => writeAll(file, chunks);
            await pipeline(content, verifyingStream(digest, sizeBytes), sink, { signal });
          } else {
            verifyBytes(content, digest, sizeBytes);
            await writeBytes(file, content);
          }
          taken?.();
        },
        syncFile,
      );
      if (!written && ![undefined, sizeBytes].includes(await fileSize(blobs, name))) {
        throw corruptBlob(digest, 'another writer left a different size');
      }
      await syncBlobs();
      return written;
    } finally {
      if (content instanceof Readable) content.destroy();
    }
  };
}

/** writeFile goes on from the current position and, unlike write, never stops short. */
async function writeAll(file: FileHandle, chunks: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of chunks) await file.writeFile(chunk);
}

/** False for a blob that is damaged, or that a discard moves away meanwhile. */
async function renewIntact(
  blobs: ConfinedDirectory,
  digest: Digest,
  now: number,
  signal: AbortSignal,
): Promise<boolean> {
  try {
    if (!(await isIntact(blobs, digest, signal))) return false;
    // Restarts the grace period of a sweep, should nobody name the blob yet.
    await lutimes(blobs.entry(digestHex(digest)), new Date(now), new Date(now));
    return true;
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return false;
    throw error;
  }
}

/** Reads a blob that is already there: to rely on rotten bytes would make a new artifact damaged from its first second. */
async function isIntact(
  blobs: ConfinedDirectory,
  digest: Digest,
  signal: AbortSignal,
): Promise<boolean> {
  await using file = await openFile(blobs, digestHex(digest));
  const hasher = createHash('sha256');
  const buffer = Buffer.allocUnsafeSlow(1 << 20);
  for (;;) {
    signal.throwIfAborted();
    const { bytesRead } = await file.read(buffer, 0, buffer.byteLength, null);
    if (bytesRead === 0) break;
    hasher.update(buffer.subarray(0, bytesRead));
  }
  return digest === `sha256:${hasher.digest('hex')}`;
}
