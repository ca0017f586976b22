import { parentPort } from 'node:worker_threads';
import { encodeChunk } from './chunk.ts';
import type { EncodeAnswer, EncodeRequest } from './chunk-encoder.ts';

/** A thread that encodes chunks, one after the other. Buffers come by transfer and go back by transfer: nothing is copied. */
parentPort?.on('message', ({ buffer, sizeBytes }: EncodeRequest) => {
  try {
    const encoded = encodeChunk(Buffer.from(buffer, 0, sizeBytes));
    const pressed =
      'bytes' in encoded && encoded.chunk.encoding === 'zstd'
        ? ownBuffer(encoded.bytes)
        : undefined;
    const answer: EncodeAnswer = { chunk: encoded.chunk, buffer, pressed };
    parentPort?.postMessage(answer, pressed === undefined ? [buffer] : [buffer, pressed]);
  } catch (error) {
    const answer: EncodeAnswer = { error: String(error), buffer };
    parentPort?.postMessage(answer, [buffer]);
  }
});

/** Small results of zlib lie in a buffer that others share, which must not be given away. */
function ownBuffer(bytes: Uint8Array): ArrayBuffer {
  const { buffer } = bytes;
  if (buffer instanceof ArrayBuffer && buffer.byteLength === bytes.byteLength) return buffer;
  return new Uint8Array(bytes).buffer;
}
