import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure } from '../../core/failure.ts';
import type { ArtifactConfig } from '../artifact/config.ts';
import { extractArtifact } from '../artifact/extract.ts';
import { readArtifact } from '../artifact/read.ts';
import type { ReferenceKey, SnapshotStore } from '../store/store.ts';
import type { ArtifactCache } from './deps.ts';

type Entry = {
  /** Who waits for it or restores from it. */
  readonly users: Set<{ readonly onBytes: (bytes: number) => void }>;
  /** Of the last use, by count. */
  usedAt: number;
  readonly directory: string;
  /** Announced while it is filled, on disk afterwards. */
  sizeBytes: number;
  /** Aborts the fetch once nobody waits for it any more. */
  readonly filling: AbortController;
  readonly filled: Promise<ArtifactConfig>;
};

/** Hears what happens to the cache. */
export type CacheObserver = {
  readonly held: (bytes: number) => void;
  readonly evicted: (bytes: number) => void;
};

const abandoned = new Failure('retry', 'Abandoned', 'nobody waits for the artifact any more');

/**
 * Extracted artifacts below one directory of this node, by digest. Restores from one artifact share it, also while it is being fetched, and a fetch ends
 * only when the last of them has given up. Beyond `limitBytes` the ones not used for longest go, never one in use. What an earlier agent left is
 * dropped: a directory is whole only while the process that filled it lives.
 */
export function directoryCache(
  root: string,
  store: SnapshotStore,
  limitBytes: number,
  observer: CacheObserver,
): ArtifactCache & { readonly clear: () => Promise<void> } {
  const entries = new Map<string, Entry>();
  let uses = 0;

  const heldBytes = (): number =>
    [...entries.values()].reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);

  const trim = async (): Promise<void> => {
    const idle = [...entries].filter(([, entry]) => entry.users.size === 0);
    idle.sort(([, left], [, right]) => left.usedAt - right.usedAt);
    for (const [digest, entry] of idle) {
      if (heldBytes() <= limitBytes) break;
      entries.delete(digest);
      observer.evicted(entry.sizeBytes);
      await rm(entry.directory, { recursive: true, force: true });
    }
    observer.held(heldBytes());
  };

  const fill = async (entry: () => Entry, key: ReferenceKey): Promise<ArtifactConfig> => {
    await Promise.resolve();
    const { directory, users, filling } = entry();
    await mkdir(root, { recursive: true, mode: 0o700 });
    await trim();
    let fetchedBytes = 0;
    const config = await extractArtifact(store, key, directory, filling.signal, (bytes) => {
      fetchedBytes += bytes;
      for (const { onBytes } of users) onBytes(fetchedBytes);
    });
    entry().sizeBytes = await sizeOf(directory);
    return config;
  };

  const begin = (key: ReferenceKey, digest: string, sizeBytes: number): Entry => {
    uses += 1;
    const entry: Entry = {
      users: new Set(),
      usedAt: uses,
      // Never the place of one that is on its way out.
      directory: join(root, `${digest.replace(':', '-')}-${uses}`),
      sizeBytes,
      filling: new AbortController(),
      filled: fill(() => entry, key),
    };
    entries.set(digest, entry);
    entry.filled.catch(() => {
      if (entries.get(digest) === entry) entries.delete(digest);
    });
    return entry;
  };

  const describe = async (
    key: ReferenceKey,
    digest: string,
    signal: AbortSignal,
  ): Promise<ArtifactConfig> => {
    const { reference, config } = await readArtifact(store, key, signal);
    if (reference.digest === digest) return config;
    const message = `the store has artifact ${reference.digest}, the snapshot says ${digest}`;
    throw new Failure('terminal', 'ArtifactCorrupt', message);
  };

  return {
    describe,
    fetch: async (key, digest, signal, onBytes = () => undefined) => {
      let entry = entries.get(digest);
      if (entry === undefined) {
        const { totals } = await describe(key, digest, signal);
        entry = entries.get(digest) ?? begin(key, digest, totals.sizeBytes);
      }
      const user = { onBytes };
      entry.users.add(user);
      uses += 1;
      entry.usedAt = uses;
      const release = (): void => {
        entry.users.delete(user);
        // Bounded also when nothing is fetched any more; a directory that cannot be removed now goes with the next start.
        trim().catch(() => undefined);
      };
      try {
        const config = await unlessAborted(entry.filled, signal);
        await trim();
        return { config, directory: entry.directory, release };
      } catch (error) {
        entry.users.delete(user);
        if (entry.users.size === 0 && signal.aborted) {
          entries.delete(digest);
          entry.filling.abort(abandoned);
        }
        throw error;
      }
    },
    clear: () => rm(root, { recursive: true, force: true }),
  };
}

/** The result, or the signal's reason as soon as that aborts; the work itself goes on. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener('abort', abort);
  }
}

/** Bytes on disk of everything in a directory. */
async function sizeOf(directory: string): Promise<number> {
  const names = await readdir(directory, { withFileTypes: true, recursive: true }).catch(() => []);
  let bytes = 0;
  for (const entry of names) {
    if (entry.isFile()) bytes += (await stat(join(entry.parentPath, entry.name))).blocks * 512;
  }
  return bytes;
}
