import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../core/failure.ts';
import { inParallel } from './bounded.ts';
import { chunkBytes, encodeChunk } from './chunk.ts';
import type { Chunk, MemoryFile } from './config.ts';
import type { ImageFile } from './criu-layer.ts';
import type { PublishWork } from './publish-work.ts';

/** Chunks on their way at once. Each holds 4 MiB raw and up to as much compressed, so this is also the bound on memory. */
const parallelChunks = 4;

type Piece = { readonly file: number; readonly index: number; readonly sizeBytes: number };

/** Cuts pages files into chunks and stores them; reading, hashing, compressing and writing of different chunks overlap. */
export async function storeMemory(
  directory: string,
  files: readonly ImageFile[],
  work: PublishWork,
  onBytes: (count: number) => void,
  signal: AbortSignal,
): Promise<MemoryFile[]> {
  const chunks: Chunk[][] = files.map(() => []);
  const buffers = Array.from({ length: parallelChunks }, () => Buffer.allocUnsafeSlow(chunkBytes));
  const handles: FileHandle[] = [];
  try {
    for (const { name } of files) handles.push(await openPages(directory, name));
    await inParallel(parallelChunks, piecesOf(files), signal, async (piece, slot, stop) => {
      const handle = handles[piece.file];
      const list = chunks[piece.file];
      const name = files[piece.file]?.name ?? '';
      const buffer = buffers[slot]?.subarray(0, piece.sizeBytes);
      if (handle === undefined || list === undefined || buffer === undefined) return;
      await readPiece(handle, name, piece, buffer);
      const encoded = await encodeChunk(buffer);
      if ('bytes' in encoded) {
        const again = () => encodeAgain(directory, name, piece);
        const { digest, bytes } = encoded;
        await work.put(digest, bytes.byteLength, bytes, again, stop);
      }
      list[piece.index] = encoded.chunk;
      onBytes(piece.sizeBytes);
    });
  } finally {
    for (const handle of handles) await handle.close();
    // Their memory goes back now. An agent that is idle afterwards collects no garbage, and each capture would leave it larger.
    for (const { buffer } of buffers) buffer.transfer(0);
  }
  return files.map(({ name, sizeBytes }, index) => ({
    file: name,
    sizeBytes,
    chunkBytes,
    chunks: chunks[index] ?? [],
  }));
}

function* piecesOf(files: readonly ImageFile[]): Generator<Piece> {
  for (const [file, { sizeBytes }] of files.entries()) {
    for (let at = 0; at < sizeBytes; at += chunkBytes) {
      yield { file, index: at / chunkBytes, sizeBytes: Math.min(chunkBytes, sizeBytes - at) };
    }
  }
}

const openPages = (directory: string, name: string): Promise<FileHandle> =>
  open(join(directory, name), constants.O_RDONLY | constants.O_NOFOLLOW);

async function readPiece(
  handle: FileHandle,
  name: string,
  piece: Piece,
  into: Buffer,
): Promise<void> {
  let filled = 0;
  while (filled < into.byteLength) {
    const at = piece.index * chunkBytes + filled;
    const { bytesRead } = await handle.read(into, filled, into.byteLength - filled, at);
    if (bytesRead === 0) {
      throw new Failure('terminal', 'CheckpointFailed', `${name} became shorter after the dump`);
    }
    filled += bytesRead;
  }
}

async function encodeAgain(directory: string, name: string, piece: Piece): Promise<Uint8Array> {
  const handle = await openPages(directory, name);
  try {
    const buffer = Buffer.allocUnsafeSlow(piece.sizeBytes);
    await readPiece(handle, name, piece, buffer);
    const encoded = await encodeChunk(buffer);
    return 'bytes' in encoded ? encoded.bytes : buffer;
  } finally {
    await handle.close();
  }
}
