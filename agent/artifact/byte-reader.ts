/** Reads exact numbers of bytes from a stream of pieces; holds one piece at a time. `ended` makes the error for a stream that is too short. */
export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #ended: () => Error;
  #piece: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Uint8Array>, ended: () => Error) {
    this.#source = source[Symbol.asyncIterator]();
    this.#ended = ended;
  }

  /** Exactly `length` bytes, as one buffer that stays valid. */
  async take(length: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    for await (const piece of this.pieces(length)) pieces.push(piece);
    return Buffer.concat(pieces, length);
  }

  /** Exactly `length` bytes as they come. */
  async *pieces(length: number): AsyncGenerator<Buffer> {
    let left = length;
    while (left > 0) {
      if (this.#piece.byteLength === 0 && !(await this.#next())) throw this.#ended();
      const piece = this.#piece.subarray(0, left);
      this.#piece = this.#piece.subarray(piece.byteLength);
      left -= piece.byteLength;
      if (piece.byteLength > 0) yield piece;
    }
  }

  /** Reads over exactly `length` bytes. */
  async skip(length: number): Promise<void> {
    const pieces = this.pieces(length);
    while ((await pieces.next()).done !== true);
  }

  /** Reads on to the end of the stream, so that whoever writes or verifies it gets there. */
  async drain(): Promise<void> {
    while (await this.#next());
  }

  /** Gives up the rest of the stream. */
  async close(): Promise<void> {
    await this.#source.return?.();
  }

  async #next(): Promise<boolean> {
    const next = await this.#source.next();
    if (next.done === true) return false;
    const { buffer, byteOffset, byteLength } = next.value;
    this.#piece = Buffer.from(buffer, byteOffset, byteLength);
    return true;
  }
}
