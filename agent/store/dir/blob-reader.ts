import { readdir } from 'node:fs/promises';
import { addAbortSignal, PassThrough, pipeline, type Readable } from 'node:stream';
import { Failure } from '../../../core/failure.ts';
import { corruptBlob, digestHex, isDigest, missingBlob, verifyingStream } from '../digest.ts';
import type { Digest } from '../store.ts';
import { fileSize, openFileIfThere } from './confined-directory.ts';
import { blobPath, openBelow } from './layout.ts';
import { storageFailure } from './storage-failure.ts';

/** Size of a blob in bytes; undefined where there is none. */
export async function statBlob(root: string, digest: Digest): Promise<number | undefined> {
  const name = digestHex(digest);
  await using blobs = await openBelow(root, blobPath);
  return blobs === undefined ? undefined : await fileSize(blobs, name);
}

/** The bytes of a blob. Whole, they are verified as they pass; `range` is half-open and must lie within the blob. */
export async function readBlob(
  root: string,
  digest: Digest,
  range: { readonly start: number; readonly end: number } | undefined,
  signal: AbortSignal,
): Promise<Readable> {
  const name = digestHex(digest);
  await using blobs = await openBelow(root, blobPath);
  if (blobs === undefined) throw missingBlob(digest);
  const file = await openFileIfThere(blobs, name);
  if (file === undefined) throw missingBlob(digest);
  try {
    const { size } = await file.stat();
    const part = range === undefined ? {} : inclusive(range, digest, size);
    const source = file.createReadStream({ ...part, highWaterMark: 1 << 20 });
    const sink = sorted(root, digest, signal);
    // Errors reach the reader through the last stream, which pipeline destroys with them.
    if (range !== undefined) pipeline(source, sink, () => undefined);
    else pipeline(source, verifyingStream(digest, size), sink, () => undefined);
    return addAbortSignal(signal, sink);
  } catch (error) {
    await file.close();
    throw error;
  }
}

function inclusive(
  { start, end }: { readonly start: number; readonly end: number },
  digest: Digest,
  size: number,
): { readonly start: number; readonly end: number } {
  if (start < 0 || start >= end) {
    throw new Failure('terminal', 'StorageError', `${start}..${end} is no range of ${digest}`);
  }
  if (end > size) throw corruptBlob(digest, `it ends at ${size}, before ${end}`);
  return { start, end: end - 1 };
}

/** Hands bytes on, and errors as Failures: what breaks while somebody reads comes through the stream, not through the call. */
function sorted(root: string, digest: Digest, signal: AbortSignal): PassThrough {
  return new PassThrough({
    readableHighWaterMark: 1 << 20,
    destroy: (error, done) => {
      if (error === null) return done(null);
      if (signal.aborted) return done(signal.reason);
      void storageFailure(root, `read blob ${digest}`, error).then(done);
    },
  });
}

/** Every blob; names that are no digest are skipped, they are not ours. */
export async function* listBlobs(root: string): AsyncGenerator<{
  readonly digest: Digest;
  readonly sizeBytes: number;
  readonly modifiedAtMilliseconds: number;
}> {
  await using blobs = await openBelow(root, blobPath);
  if (blobs === undefined) return;
  for (const name of await readdir(blobs.path)) {
    const digest = `sha256:${name}`;
    if (!isDigest(digest)) continue;
    const file = await openFileIfThere(blobs, name);
    if (file === undefined) continue; // Deleted since the listing.
    const { size, mtimeMs } = await file.stat().finally(() => file.close());
    yield { digest, sizeBytes: size, modifiedAtMilliseconds: mtimeMs };
  }
}
