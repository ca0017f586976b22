import { availableParallelism } from 'node:os';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';
import { trustForPut } from '../store/digest.ts';
import { pageAlignedBuffer } from '../store/page-aligned.ts';
import { chunkBytes, type EncodedChunk, encodeChunk } from './chunk.ts';
import type { Chunk } from './config.ts';

/** What a thread is asked. The buffer is `chunkBytes` long, the chunk its first `sizeBytes`. */
export type EncodeRequest = { readonly buffer: ArrayBuffer; readonly sizeBytes: number };
/** What it answers; the buffer comes back. `pressed`: the stored bytes of a compressed chunk. */
export type EncodeAnswer =
  | {
      readonly chunk: Chunk;
      readonly buffer: ArrayBuffer;
      readonly pressed: ArrayBuffer | undefined;
    }
  | { readonly error: string; readonly buffer: ArrayBuffer };

/**
 * Memory that all publishes of the process together may hold. A chunk on its way is there raw and, for a while, compressed, so each takes twice its
 * size of it.
 */
const poolBytes = 64 * 2 ** 20;
/** More threads than this only wait for the disk. */
const threadCount = Math.min(4, availableParallelism());
/** Chunks on their way at once, in the whole process: two a thread keep it busy, one being read or stored while the other is encoded. */
export const parallelChunks = Math.min(poolBytes / (2 * chunkBytes), 2 * threadCount);
/** A thread needs next to no heap: its buffers lie outside. */
const resourceLimits = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 32 };
/** Less memory than this is encoded before threads have started. */
export const leastBytesForThreads = 32 * 2 ** 20;

/** Buffers of one chunk each, made when they are first needed and used again and again. */
class BufferPool {
  readonly #free: ArrayBuffer[] = [];
  readonly #waiting: ((buffer: ArrayBuffer) => void)[] = [];
  #made = 0;

  async take(): Promise<ArrayBuffer> {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    if (this.#made < parallelChunks) {
      this.#made += 1;
      return pageAlignedBuffer(chunkBytes);
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** One that was lost with a thread is replaced. */
  giveBack(buffer: ArrayBuffer): void {
    const whole = buffer.byteLength === chunkBytes ? buffer : pageAlignedBuffer(chunkBytes);
    const next = this.#waiting.shift();
    if (next === undefined) this.#free.push(whole);
    else next(whole);
  }

  /** Forgets what nobody uses: an agent that captures now and then does not keep 32 MiB for it. */
  trim(): void {
    this.#made -= this.#free.length;
    this.#free.length = 0;
  }
}

const pool = new BufferPool();
let threads: readonly Thread[] = [];
let users = 0;

type Job = {
  readonly resolve: (answer: EncodeAnswer) => void;
  readonly reject: (error: Error) => void;
};

/** One worker thread; it answers in the order it was asked. */
class Thread {
  readonly #worker: Worker;
  readonly #jobs: Job[] = [];
  #broken: Error | undefined;

  constructor() {
    const here = import.meta.url;
    // The sources run as they are, and built: the worker's file ends as this one does.
    const program = new URL(`./chunk-worker${extname(fileURLToPath(here))}`, here);
    this.#worker = new Worker(program, { resourceLimits });
    this.#worker.unref();
    this.#worker.on('message', (answer: EncodeAnswer) => this.#jobs.shift()?.resolve(answer));
    this.#worker.on('error', (error) => this.#fail(error));
    this.#worker.on('exit', (code) => this.#fail(new Error(`a thread ended with code ${code}`)));
  }

  get load(): number {
    return this.#broken === undefined ? this.#jobs.length : Number.POSITIVE_INFINITY;
  }

  encode(request: EncodeRequest): Promise<EncodeAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#broken !== undefined) return reject(this.#broken);
      this.#jobs.push({ resolve, reject });
      this.#worker.postMessage(request, [request.buffer]);
    });
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }

  #fail(error: Error): void {
    this.#broken ??= error;
    for (const { reject } of this.#jobs.splice(0)) reject(this.#broken);
  }
}

/** Encodes chunks of one publish. */
export type ChunkEncoder = AsyncDisposable & {
  /**
   * Lets `read` fill the first `sizeBytes` of a buffer, encodes them and hands the result to `store`; the bytes stay as they are until `store`
   * has ended, and no longer.
   */
  readonly encode: (
    sizeBytes: number,
    read: (into: Buffer) => Promise<void>,
    store: (encoded: EncodedChunk) => Promise<void>,
  ) => Promise<void>;
};

/** `totalBytes`: what is to be encoded; much of it is spread over threads. */
export function openEncoder(totalBytes: number): ChunkEncoder {
  const threaded = totalBytes >= leastBytesForThreads;
  if (threaded) {
    users += 1;
    if (threads.every(({ load }) => load === Number.POSITIVE_INFINITY)) {
      threads = Array.from({ length: threadCount }, () => new Thread());
    }
  }
  return {
    encode: async (sizeBytes, read, store) => {
      let buffer = await pool.take();
      try {
        await read(Buffer.from(buffer, 0, sizeBytes));
        const thread = threaded ? leastLoaded() : undefined;
        if (thread === undefined) {
          await store(encodeChunk(Buffer.from(buffer, 0, sizeBytes)));
          return;
        }
        const answer = await thread.encode({ buffer, sizeBytes });
        buffer = answer.buffer;
        await store(encodedOf(answer, sizeBytes));
      } finally {
        pool.giveBack(buffer);
      }
    },
    [Symbol.asyncDispose]: async () => {
      if (!threaded) return;
      users -= 1;
      if (users > 0) return;
      const ending = threads;
      threads = [];
      pool.trim();
      await Promise.all(ending.map((thread) => thread.end()));
    },
  };
}

/** The least busy thread that works; undefined when none does: then this one does it. */
function leastLoaded(): Thread | undefined {
  const [first] = threads.toSorted((a, b) => a.load - b.load);
  return first === undefined || first.load === Number.POSITIVE_INFINITY ? undefined : first;
}

function encodedOf(answer: EncodeAnswer, sizeBytes: number): EncodedChunk {
  if ('error' in answer) throw new Error(`a chunk could not be encoded: ${answer.error}`);
  const { chunk, buffer, pressed } = answer;
  if (chunk.encoding === 'zero') return { chunk };
  const bytes = pressed === undefined ? Buffer.from(buffer, 0, sizeBytes) : Buffer.from(pressed);
  trustForPut(bytes, chunk.digest);
  return { chunk, digest: chunk.digest, bytes };
}
