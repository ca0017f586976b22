import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { directoryCache } from '../../../../agent/restore/artifact-cache.ts';
import type { CachedArtifact } from '../../../../agent/restore/deps.ts';
import type { SnapshotStore } from '../../../../agent/store/store.ts';
import { publishInto } from '../../../support/one-artifact.ts';

const mebibyte = 2 ** 20;
const never = new AbortController().signal;
const quiet = (): void => undefined;

describe('the cache of artifacts on a node', () => {
  let base: string;
  let root: string;
  let store: SnapshotStore;
  let digests: Readonly<Record<string, string>>;
  let held: number;
  let evicted: number;

  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'cache-'));
    root = join(base, 'cache');
    held = 0;
    evicted = 0;
    const found: Record<string, string> = {};
    for (const contentUID of ['one', 'two', 'three']) {
      const key = { namespace: 'default', contentUID };
      const published = await publishInto(base, key, randomBytes(4 * mebibyte));
      store = published.store;
      found[contentUID] = published.digest;
    }
    digests = found;
  });
  afterEach(() => rm(base, { recursive: true, force: true }));

  const observer = {
    held: (bytes: number): void => {
      held = bytes;
    },
    evicted: (): void => {
      evicted += 1;
    },
  };
  /** The blobs that are read, by digest, however often. */
  const counting = (reads: string[], wait?: Promise<void>): SnapshotStore => ({
    ...store,
    getBlob: async (digest, range, signal) => {
      reads.push(digest);
      await wait;
      return store.getBlob(digest, range, signal);
    },
  });
  const cacheOf = (limitBytes: number, from: SnapshotStore = store) =>
    directoryCache(root, from, limitBytes, observer);
  const take = (
    cache: ReturnType<typeof cacheOf>,
    contentUID: string,
    signal: AbortSignal = never,
    onBytes: (bytes: number) => void = quiet,
  ): Promise<CachedArtifact> =>
    cache.fetch({ namespace: 'default', contentUID }, digests[contentUID] ?? '', signal, onBytes);
  const kept = async (): Promise<readonly string[]> =>
    (await readdir(root)).map((name) => name.slice(0, 'sha256-'.length + 64).replace('-', ':'));

  it('has the artifact whole, and says how far it is', async () => {
    const seen: number[] = [];
    const artifact = await take(cacheOf(64 * mebibyte), 'one', never, (bytes) => seen.push(bytes));
    const pages = join(artifact.directory, 'containers/main/images/pages-1.img');
    expect((await readFile(pages)).byteLength).toBe(4 * mebibyte);
    expect(seen).toEqual(seen.toSorted((left, right) => left - right));
    expect(seen.at(-1)).toBeGreaterThanOrEqual(4 * mebibyte);
    expect(held).toBeGreaterThanOrEqual(4 * mebibyte);
  });

  it('fetches once for all who want the same at once, and for who comes later', async () => {
    const reads: string[] = [];
    const cache = cacheOf(64 * mebibyte, counting(reads));
    const all = await Promise.all([1, 2, 3, 4].map(() => take(cache, 'one')));
    expect(new Set(all.map(({ directory }) => directory)).size).toBe(1);
    await take(cache, 'one');
    // Manifest and config tell each what it is; everything else is read once.
    const often = reads.filter((digest) => reads.filter((one) => one === digest).length > 1);
    expect(new Set(often).size).toBe(2);
  });

  it('goes on with a fetch that one of two has given up, and ends one that nobody wants', async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const cache = cacheOf(64 * mebibyte, counting([], promise));
    const impatient = new AbortController();
    const first = take(cache, 'one', impatient.signal);
    const second = take(cache, 'one');
    impatient.abort(new Error('enough'));
    resolve();
    await expect(first).rejects.toThrow('enough');
    expect((await second).config.contentUID).toBe('one');

    const waiting = Promise.withResolvers<void>();
    const slow = cacheOf(64 * mebibyte, counting([], waiting.promise));
    const last = new AbortController();
    const alone = take(slow, 'two', last.signal);
    last.abort(new Error('enough'));
    waiting.resolve();
    await expect(alone).rejects.toThrow('enough');
    expect((await take(slow, 'two')).config.contentUID).toBe('two');
  });

  it('lets the one go that was not used for longest, and none that is in use', async () => {
    const cache = cacheOf(10 * mebibyte);
    const one = await take(cache, 'one');
    (await take(cache, 'two')).release();
    await take(cache, 'three');
    expect(new Set(await kept())).toEqual(new Set([digests.one, digests.three]));
    expect(evicted).toBe(1);
    one.release();
    (await take(cache, 'two')).release();
    expect(new Set(await kept())).toEqual(new Set([digests.three, digests.two]));
  });

  it('keeps what is larger than all of it for as long as it is used', async () => {
    const cache = cacheOf(mebibyte);
    const artifact = await take(cache, 'one');
    expect(await kept()).toEqual([digests.one]);
    artifact.release();
    await expect.poll(kept).toEqual([]);
    expect(held).toBe(0);
  });

  it('refuses an artifact other than the one that the snapshot names', async () => {
    const key = { namespace: 'default', contentUID: 'one' };
    await expect(
      cacheOf(mebibyte).fetch(key, digests.two ?? '', never, quiet),
    ).rejects.toMatchObject({ kind: 'terminal', reason: 'ArtifactCorrupt' });
  });

  it('has nothing of a fetch that failed, and tries again for the next', async () => {
    let broken = true;
    const faulty: SnapshotStore = {
      ...store,
      statBlob: async (digest, signal) => {
        if (broken && digest !== digests.one) throw new Error('away');
        return store.statBlob(digest, signal);
      },
    };
    const cache = cacheOf(64 * mebibyte, faulty);
    await expect(take(cache, 'one')).rejects.toThrow('away');
    broken = false;
    expect((await take(cache, 'one')).config.contentUID).toBe('one');
    expect(await kept()).toEqual([digests.one]);
  });
});
