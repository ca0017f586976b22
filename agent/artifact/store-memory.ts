import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../core/failure.ts';
import { inParallel } from './bounded.ts';
import { chunkBytes, encodeChunk } from './chunk.ts';
import { openEncoder } from './chunk-encoder.ts';
import type { Chunk, MemoryFile } from './config.ts';
import type { ImageFile } from './criu-layer.ts';
import type { PublishWork } from './publish-work.ts';

/** Chunks being read, encoded, written or made durable at once: enough for the disk to take many at a time. */
const chunksOnTheirWay = 16;

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
  const handles: FileHandle[] = [];
  await using encoder = openEncoder(files.reduce((sum, file) => sum + file.sizeBytes, 0));
  try {
    for (const { name } of files) handles.push(await openPages(directory, name));
    // The encoder bounds how many are in memory; the others wait for the disk to have them for good.
    await inParallel(chunksOnTheirWay, piecesOf(files), signal, async (piece, _slot, stop) => {
      const handle = handles[piece.file];
      const list = chunks[piece.file];
      const name = files[piece.file]?.name ?? '';
      if (handle === undefined || list === undefined) return;
      let durable: Promise<void> | undefined;
      await encoder.encode(
        piece.sizeBytes,
        async (into) => {
          stop.throwIfAborted();
          await readPiece(handle, name, piece, into);
        },
        async (encoded) => {
          list[piece.index] = encoded.chunk;
          if (!('bytes' in encoded)) return;
          const again = () => encodeAgain(directory, name, piece);
          const { digest, bytes } = encoded;
          const taken = Promise.withResolvers<void>();
          durable = work.put(digest, bytes.byteLength, bytes, again, stop, taken.resolve);
          await Promise.race([taken.promise, durable]);
        },
      );
      await durable;
      onBytes(piece.sizeBytes);
    });
  } finally {
    for (const handle of handles) await handle.close();
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
    const encoded = encodeChunk(buffer);
    return 'bytes' in encoded ? encoded.bytes : buffer;
  } finally {
    await handle.close();
  }
}
