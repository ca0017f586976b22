import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Failure, isFailure } from '../../core/failure.ts';
import { extractArtifact } from '../artifact/extract.ts';
import { readArtifact } from '../artifact/read.ts';
import type { ReferenceKey, SnapshotStore } from '../store/store.ts';
import type { ArtifactCache, CachedArtifact } from './deps.ts';

type Entry = { users: number; usedAt: number; readonly filled: Promise<CachedArtifact['config']> };

/**
 * Extracted artifacts below one directory of this node, by digest. Restores from one artifact share it, also while it is being fetched. Beyond
 * `limitBytes` the ones not used for longest go, never one in use. What an earlier agent left is dropped: a directory is whole only while the
 * process that filled it lives.
 */
export function directoryCache(
  root: string,
  store: SnapshotStore,
  limitBytes: number,
): ArtifactCache & { readonly clear: () => Promise<void> } {
  const entries = new Map<string, Entry>();
  let uses = 0;
  const pathOf = (digest: string): string => join(root, digest.replace(':', '-'));
  const fill = async (
    key: ReferenceKey,
    digest: string,
    signal: AbortSignal,
  ): Promise<CachedArtifact['config']> => {
    const found = (await readArtifact(store, key, signal)).reference.digest;
    if (found !== digest) {
      const message = `the store has artifact ${found}, the snapshot says ${digest}`;
      throw new Failure('terminal', 'ArtifactCorrupt', message);
    }
    await mkdir(root, { recursive: true, mode: 0o700 });
    return extractArtifact(store, key, pathOf(digest), signal);
  };
  const entryOf = (key: ReferenceKey, digest: string, signal: AbortSignal): Entry => {
    const known = entries.get(digest);
    if (known !== undefined) return known;
    const entry: Entry = { users: 0, usedAt: 0, filled: fill(key, digest, signal) };
    entries.set(digest, entry);
    entry.filled.catch(() => entries.delete(digest));
    return entry;
  };
  const fetch = async (
    key: ReferenceKey,
    digest: string,
    signal: AbortSignal,
  ): Promise<CachedArtifact> => {
    for (;;) {
      signal.throwIfAborted();
      const mine = !entries.has(digest);
      const entry = entryOf(key, digest, signal);
      entry.users += 1;
      entry.usedAt = uses += 1;
      try {
        const config = await entry.filled;
        const release = (): void => {
          entry.users -= 1;
        };
        await trim();
        return { config, directory: pathOf(digest), release };
      } catch (error) {
        entry.users -= 1;
        // Somebody else's fetch was cancelled, not ours: begin again.
        if (mine || isFailure(error, 'retry', 'terminal')) throw error;
      }
    }
  };
  const trim = async (): Promise<void> => {
    const idle = [...entries].filter(([, entry]) => entry.users === 0);
    idle.sort(([, left], [, right]) => left.usedAt - right.usedAt);
    let held = await sizeOf(root);
    for (const [digest] of idle) {
      if (held <= limitBytes) return;
      const bytes = await sizeOf(pathOf(digest));
      entries.delete(digest);
      await rm(pathOf(digest), { recursive: true, force: true });
      held -= bytes;
    }
  };
  return { fetch, clear: () => rm(root, { recursive: true, force: true }) };
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
