import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { addAbortSignal, pipeline, Readable } from 'node:stream';
import { Failure } from '../../core/failure.ts';
import { corruptBlob, isDigest, missingBlob, verifyingStream } from '../store/digest.ts';
import type { Digest } from '../store/store.ts';
import { checkLayout, corruptArchive, longestIndexBytes, parseIndex } from './archive-index.ts';
import { blobNameOf, layoutFiles } from './oci-archive.ts';
import { type Artifact, type BlobSource, readDocuments } from './read.ts';
import { blockBytes, parseTarHeader } from './tar-header.ts';
import { longestPaxBytes, type PaxRecords, parsePax } from './tar-pax.ts';

/** A part of the archive's file. */
type Place = { readonly start: number; readonly sizeBytes: number };

/** An artifact in an archive that was not imported. */
export type ArchivedArtifact = {
  readonly artifact: Artifact;
  readonly blobs: BlobSource;
  readonly close: () => Promise<void>;
};

/** Of an archive; one of a terabyte of memory has 260 000. */
const mostEntries = 2_000_000;
const pieceBytes = 2 ** 20;

/**
 * Opens the artifact of an OCI layout tar where it lies: nothing is unpacked, so the memory of a process is in no second place. Blobs are verified
 * as they are read. `ArtifactCorrupt` for what is no such archive.
 */
export async function openArchive(path: string, signal: AbortSignal): Promise<ArchivedArtifact> {
  const file = await openPlainFile(path);
  try {
    const { blobs, documents } = await scan(file, signal);
    checkLayout(await document(file, documents, layoutFiles.layout));
    const reference = parseIndex(await document(file, documents, layoutFiles.index));
    const source = blobSource(file, blobs);
    const artifact = await readDocuments(source, reference, signal);
    return { artifact, blobs: source, close: () => file.close() };
  } catch (error) {
    await file.close();
    throw error;
  }
}

async function openPlainFile(path: string): Promise<FileHandle> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK).catch(
    (error: unknown) => {
      const why = error instanceof Error ? error.message : String(error);
      throw new Failure('terminal', 'StorageError', `the archive cannot be read: ${why}`);
    },
  );
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new Failure(
    'terminal',
    'StorageError',
    `the archive ${path} is no file; import reads pipes`,
  );
}

type Found = {
  readonly blobs: ReadonlyMap<string, Place>;
  readonly documents: ReadonlyMap<string, Place>;
};

/** Goes from header to header; no body but those of extended headers is read. */
async function scan(file: FileHandle, signal: AbortSignal): Promise<Found> {
  const { size: fileBytes } = await file.stat();
  const blobs = new Map<string, Place>();
  const documents = new Map<string, Place>();
  let pax: PaxRecords = new Map();
  let at = 0;
  for (let entries = 0; ; entries += 1) {
    signal.throwIfAborted();
    if (entries === mostEntries) throw corruptArchive('it has too many entries');
    const block = await readExactly(file, { start: at, sizeBytes: blockBytes });
    if (block.every((byte) => byte === 0)) return { blobs, documents };
    const header = parseTarHeader(block);
    if (header === undefined) throw corruptArchive('a header is malformed');
    const sizeBytes =
      header.type === 'x' ? header.sizeBytes : Number(pax.get('size') ?? header.sizeBytes);
    const place = { start: at + blockBytes, sizeBytes };
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0 || place.start + sizeBytes > fileBytes) {
      throw corruptArchive('it is cut off, or a size is malformed');
    }
    at = place.start + Math.ceil(sizeBytes / blockBytes) * blockBytes;
    if (header.type === 'x') {
      if (sizeBytes > longestPaxBytes) throw corruptArchive('an extended header is too long');
      const records = parsePax(await readExactly(file, place));
      if (records === undefined) throw corruptArchive('an extended header is malformed');
      pax = records;
      continue;
    }
    const path = (pax.get('path') ?? header.name).replace(/^(\.\/)+/, '');
    pax = new Map();
    if (header.type === '5') continue;
    if (header.type !== '0') {
      throw corruptArchive(`${JSON.stringify(path.slice(0, 300))} is no plain file`);
    }
    const digest = blobNameOf(path);
    const into = digest === undefined ? documents : blobs;
    const name = digest ?? path;
    if (!into.has(name)) into.set(name, place);
  }
}

async function readExactly(file: FileHandle, { start, sizeBytes }: Place): Promise<Buffer> {
  const bytes = Buffer.alloc(sizeBytes);
  const { bytesRead } = await file.read(bytes, 0, sizeBytes, start);
  if (bytesRead !== sizeBytes) throw corruptArchive('it is cut off');
  return bytes;
}

/** Not a stream of the file: one for each of thousands of blobs would leave as many listeners on it. */
async function* pieces(file: FileHandle, start: number, end: number): AsyncGenerator<Buffer> {
  for (let at = start; at < end; ) {
    const piece = Buffer.allocUnsafeSlow(Math.min(pieceBytes, end - at));
    const { bytesRead } = await file.read(piece, 0, piece.byteLength, at);
    if (bytesRead === 0) throw corruptArchive('it is cut off');
    at += bytesRead;
    yield piece.subarray(0, bytesRead);
  }
}

async function document(
  file: FileHandle,
  documents: ReadonlyMap<string, Place>,
  name: string,
): Promise<string> {
  const place = documents.get(name);
  if (place === undefined) throw corruptArchive(`it has no ${name}`);
  if (place.sizeBytes > longestIndexBytes) throw corruptArchive(`${name} is too long`);
  return (await readExactly(file, place)).toString('utf8');
}

function blobSource(file: FileHandle, blobs: ReadonlyMap<string, Place>): BlobSource {
  const find = (digest: Digest): Place | undefined =>
    isDigest(digest) ? blobs.get(digest) : undefined;
  return {
    statBlob: async (digest) => find(digest)?.sizeBytes,
    getBlob: async (digest, range, signal) => {
      const place = find(digest);
      if (place === undefined) throw missingBlob(digest);
      const { start, end } = range ?? { start: 0, end: place.sizeBytes };
      if (start < 0 || end > place.sizeBytes || start > end) {
        throw corruptBlob(digest, `it has no bytes ${start} to ${end}`);
      }
      const bytes = Readable.from(pieces(file, place.start + start, place.start + end));
      if (range !== undefined) return addAbortSignal(signal, bytes);
      const verified = verifyingStream(digest, place.sizeBytes);
      // Errors reach the reader through the last stream, which pipeline destroys with them.
      pipeline(bytes, verified, () => undefined);
      return addAbortSignal(signal, verified);
    },
  };
}
