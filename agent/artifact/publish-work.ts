import { type FileHandle, mkdir, open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { isDigest } from '../store/digest.ts';
import { errorCode } from '../store/error-code.ts';
import type { Digest, SnapshotStore } from '../store/store.ts';
import { inParallel } from './bounded.ts';

/** Below the staging directory, and no part of the dump: packed layers on their way, and the list of blobs this publish may have written. */
export const workDirectory = 'publish';
const listName = 'blobs';

/** Gives a blob's bytes once more, should the store have lost them before the publish was over. */
export type Again = () => Promise<Uint8Array | Readable>;

/**
 * The blobs of one publish on their way into the store. Every digest is on the list before its bytes are written, so that a publish that is given up,
 * by whichever process, can be undone.
 */
export class PublishWork implements AsyncDisposable {
  readonly #store: SnapshotStore;
  readonly #directory: string;
  readonly #list: FileHandle;
  readonly #blobs = new Map<Digest, { readonly sizeBytes: number; readonly again: Again }>();
  readonly #files: string[] = [];

  constructor(store: SnapshotStore, directory: string, list: FileHandle) {
    this.#store = store;
    this.#directory = directory;
    this.#list = list;
  }

  /** Stores a blob unless this publish has done so already; `again` is asked only for one that went missing; `taken` as the store's. */
  async put(
    digest: Digest,
    sizeBytes: number,
    content: Uint8Array | Readable,
    again: Again,
    signal: AbortSignal,
    taken?: () => void,
  ): Promise<void> {
    if (this.#blobs.has(digest)) {
      if (content instanceof Readable) content.destroy();
      return;
    }
    this.#blobs.set(digest, { sizeBytes, again });
    await this.#list.writeFile(`${digest}\n`);
    await this.#store.putBlob(digest, sizeBytes, content, signal, taken);
  }

  /** Path for a packed layer, free to be made; removed when the publish ends. */
  async layerFile(name: string): Promise<string> {
    const path = join(this.#directory, name);
    await rm(path, { force: true });
    this.#files.push(path);
    return path;
  }

  /** Looks for every blob in the store and writes those again that a sweep took before the reference named them. */
  async restoreMissing(signal: AbortSignal): Promise<void> {
    await inParallel(8, this.#blobs, signal, async ([digest, { sizeBytes, again }], _, stop) => {
      if ((await this.#store.statBlob(digest, stop)) === sizeBytes) return;
      await this.#store.putBlob(digest, sizeBytes, await again(), stop);
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#list.close();
    for (const path of this.#files) await rm(path, { force: true });
  }
}

/** Opens the work of a publish from a staging directory, also one that another process began. */
export async function openPublishWork(
  store: SnapshotStore,
  stagingDirectory: string,
): Promise<PublishWork> {
  const directory = join(stagingDirectory, workDirectory);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  return new PublishWork(store, directory, await open(join(directory, listName), 'a', 0o600));
}

/** The digests a publish from this staging directory may have written; none where none began. */
export async function listPublishWork(stagingDirectory: string): Promise<ReadonlySet<Digest>> {
  try {
    const text = await readFile(join(stagingDirectory, workDirectory, listName), 'utf8');
    return new Set(text.split('\n').filter(isDigest)); // A last line that a crash cut is no digest, and its blob was not begun.
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return new Set();
    throw error;
  }
}
