import { decodeChunk } from './chunk.ts';
import { corruptArtifact, type MemoryFile } from './config.ts';
import { type BlobSource, readBlob } from './read.ts';

/** Reads pieces of a pages file from its chunks, each verified; keeps the last chunk, because pieces that follow each other are in the same. */
export class MemoryReader {
  readonly #store: BlobSource;
  readonly #memory: MemoryFile;
  #last: { readonly index: number; readonly bytes: Buffer } | undefined;

  constructor(store: BlobSource, memory: MemoryFile) {
    this.#store = store;
    this.#memory = memory;
  }

  async read(offsetBytes: number, lengthBytes: number, signal: AbortSignal): Promise<Buffer> {
    const { file, sizeBytes, chunkBytes } = this.#memory;
    if (offsetBytes + lengthBytes > sizeBytes) {
      throw corruptArtifact(`${file} ends before byte ${offsetBytes + lengthBytes}`);
    }
    const result = Buffer.alloc(lengthBytes);
    for (let filled = 0; filled < lengthBytes; ) {
      const at = offsetBytes + filled;
      const index = Math.floor(at / chunkBytes);
      const bytes = await this.#chunk(index, signal);
      filled += bytes.copy(result, filled, at - index * chunkBytes);
    }
    return result;
  }

  async #chunk(index: number, signal: AbortSignal): Promise<Buffer> {
    if (this.#last?.index === index) return this.#last.bytes;
    const chunk = this.#memory.chunks[index];
    if (chunk === undefined) throw corruptArtifact(`${this.#memory.file} lacks chunk ${index}`);
    const bytes =
      chunk.encoding === 'zero'
        ? Buffer.alloc(chunk.sizeBytes)
        : await decodeChunk(
            chunk,
            chunk.digest,
            await readBlob(this.#store, chunk.digest, chunk.storedBytes, signal),
          );
    this.#last = { index, bytes };
    return bytes;
  }
}
