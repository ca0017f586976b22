import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { digestOf } from '../../agent/store/digest.ts';
import { pageAlignedBuffer } from '../../agent/store/page-aligned.ts';
import type { Digest, ManifestBlob, Reference, SnapshotStore } from '../../agent/store/store.ts';
import { Failure } from '../../core/failure.ts';

const signal = new AbortController().signal;
const waiting = { timeout: 5000, interval: 2 };
const leave = async (): Promise<void> => undefined;
const none = async (): Promise<ReadonlySet<Digest>> => new Set();

async function collect<T>(entries: AsyncIterable<T>): Promise<readonly T[]> {
  const all: T[] = [];
  for await (const entry of entries) all.push(entry);
  return all;
}

/** A store under test and a way to spoil a blob behind its back. */
export type StoreUnderTest = {
  readonly store: SnapshotStore;
  damage(digest: Digest, bytes: Uint8Array): Promise<void>;
};

/** What every SnapshotStore promises. `make` gives an empty store, `end` removes it. */
export function storeContract(
  name: string,
  make: () => Promise<StoreUnderTest>,
  end: () => Promise<void>,
): void {
  describe(`the store contract, ${name}`, () => {
    let store: SnapshotStore;
    let damage: StoreUnderTest['damage'];
    const bytes = randomBytes(3_000_000);
    const digest = digestOf(bytes);
    const key = { namespace: 'default', contentUID: 'f1d5-7' };
    const reference: Reference = { digest, size: 12, mediaType: 'application/x', fence: 3 };

    beforeEach(async () => {
      ({ store, damage } = await make());
    });
    afterEach(end);

    const put = (content: Uint8Array): Promise<{ readonly written: boolean }> =>
      store.putBlob(digestOf(content), content.byteLength, content, signal);
    const read = async (wanted: Digest): Promise<Buffer> =>
      await buffer(await store.getBlob(wanted, undefined, signal));

    it('gives back what was put, from memory and from a stream', async () => {
      expect(await put(bytes)).toEqual({ written: true });
      expect((await read(digest)).equals(bytes)).toBe(true);
      const other = randomBytes(200_000);
      const pieces = Readable.from([other.subarray(0, 70_001), other.subarray(70_001)]);
      expect(await store.putBlob(digestOf(other), 200_000, pieces, signal)).toEqual({
        written: true,
      });
      expect((await read(digestOf(other))).equals(other)).toBe(true);
      expect(await store.statBlob(digest, signal)).toBe(3_000_000);
    });

    it('says when the memory that the bytes were in may be used for something else', async () => {
      for (let round = 0; round < 3; round += 1) {
        const content = Buffer.from(pageAlignedBuffer(3_000_000));
        randomBytes(3_000_000).copy(content);
        const before = Buffer.from(content);
        let taken = 0;
        const reuse = (): void => {
          taken += 1;
          content.fill(0);
        };
        await store.putBlob(digestOf(before), 3_000_000, content, signal, reuse);
        expect(taken).toBe(1);
        expect((await read(digestOf(before))).equals(before)).toBe(true);
      }
    });

    it('is one and the same store to everybody who asks', async () => {
      const asked = await Promise.all(Array.from({ length: 8 }, () => store.identity(signal)));
      expect(asked[0]).toMatch(/^[0-9a-f-]{36}$/);
      expect(new Set(asked).size).toBe(1);
      expect(await store.identity(signal)).toBe(asked[0]);
    });

    it('does not write a blob that exists', async () => {
      await put(bytes);
      expect(await put(bytes)).toEqual({ written: false });
      const [first, second] = await Promise.all([put(randomBytes(9)), put(bytes)]);
      expect([first.written, second.written]).toEqual([true, false]);
    });

    it('lets many write the same blob at once, and one of them wins', async () => {
      const results = await Promise.all(Array.from({ length: 8 }, () => put(bytes)));
      expect(results.filter((result) => result.written)).toHaveLength(1);
      expect((await read(digest)).equals(bytes)).toBe(true);
    });

    it('keeps an empty blob', async () => {
      await put(new Uint8Array());
      expect(await store.statBlob(digestOf(new Uint8Array()), signal)).toBe(0);
      expect(await read(digestOf(new Uint8Array()))).toHaveLength(0);
    });

    it('refuses bytes that do not match, and shows nothing of them', async () => {
      const wrong = Buffer.from(bytes);
      wrong[1_000_000] = (wrong[1_000_000] ?? 0) ^ 1;
      const attempts: readonly (readonly [number, Uint8Array | Readable])[] = [
        [bytes.byteLength, wrong],
        [bytes.byteLength, Readable.from([wrong])],
        [bytes.byteLength, Readable.from([bytes.subarray(1)])],
        [bytes.byteLength, Readable.from([bytes, bytes])],
        [5, bytes],
      ];
      for (const [size, content] of attempts) {
        await expect(store.putBlob(digest, size, content, signal)).rejects.toMatchObject({
          kind: 'terminal',
          reason: 'ArtifactCorrupt',
        });
      }
      expect(await store.statBlob(digest, signal)).toBeUndefined();
    });

    it('reads a range, and refuses one beyond the end', async () => {
      await put(bytes);
      const part = await buffer(await store.getBlob(digest, { start: 5, end: 100_005 }, signal));
      expect(part.equals(bytes.subarray(5, 100_005))).toBe(true);
      await expect(
        store.getBlob(digest, { start: 5, end: 3_000_001 }, signal),
      ).rejects.toMatchObject({ reason: 'ArtifactCorrupt' });
    });

    it('tells a missing blob from a failing store', async () => {
      expect(await store.statBlob(digest, signal)).toBeUndefined();
      await expect(store.getBlob(digest, undefined, signal)).rejects.toMatchObject({
        kind: 'gone',
        reason: 'ArtifactLost',
      });
    });

    it('finds a blob that was damaged or cut', async () => {
      await put(bytes);
      const flipped = Buffer.from(bytes);
      flipped[2_999_999] = (flipped[2_999_999] ?? 0) ^ 0x80;
      for (const bad of [flipped, bytes.subarray(0, 2_999_999), new Uint8Array()]) {
        await damage(digest, bad);
        await expect(read(digest)).rejects.toMatchObject({ reason: 'ArtifactCorrupt' });
      }
    });

    it('writes a reference once', async () => {
      expect(await store.getReference(key, signal)).toBeUndefined();
      expect(await store.putReference(key, reference, signal)).toBe(true);
      expect(await store.putReference(key, { ...reference, fence: 4 }, signal)).toBe(false);
      expect(await store.getReference(key, signal)).toEqual(reference);
    });

    it('lets one of many writers of a reference win', async () => {
      const results = await Promise.all(
        [1, 2, 3, 4].map((fence) => store.putReference(key, { ...reference, fence }, signal)),
      );
      expect(results.filter(Boolean)).toHaveLength(1);
    });

    it('lists and deletes references, twice if asked', async () => {
      const second = { namespace: 'other', contentUID: 'a' };
      await store.putReference(key, reference, signal);
      await store.putReference(second, reference, signal);
      expect(await collect(store.listReferences(signal))).toHaveLength(2);
      const keys = await collect(store.listKeys(signal));
      expect(keys.map((each) => each.namespace).toSorted()).toEqual(['default', 'other']);
      await store.deleteReference(key, leave, signal);
      await store.deleteReference(key, leave, signal);
      expect(await collect(store.listReferences(signal))).toEqual([{ key: second, reference }]);
      expect(await store.putReference(key, reference, signal)).toBe(true);
    });

    it('says what a deleted reference named until its blobs are dealt with, and then no more', async () => {
      await store.putReference(key, reference, signal);
      const said: unknown[] = [];
      const discard = async (manifest: ManifestBlob): Promise<void> => {
        expect(await store.getReference(key, signal)).toBeUndefined();
        const { digest, size, mediaType } = manifest;
        said.push({ digest, size, mediaType });
        if (said.length < 3) throw new Failure('retry', 'StorageError', `attempt ${said.length}`);
      };
      for (const attempt of [1, 2]) {
        await expect(store.deleteReference(key, discard, signal)).rejects.toThrow(
          `attempt ${attempt}`,
        );
        expect(await collect(store.listKeys(signal))).toEqual([]);
      }
      await store.deleteReference(key, discard, signal);
      await store.deleteReference(key, discard, signal);
      const { fence: _, ...manifest } = reference;
      expect(said).toEqual([manifest, manifest, manifest]);
    });

    it('lists references while others are deleted', async () => {
      for (let round = 0; round < 40; round += 1) {
        await store.putReference(key, reference, signal);
        const lists = Array.from({ length: 10 }, () => collect(store.listReferences(signal)));
        await store.deleteReference(key, leave, signal);
        for (const list of await Promise.all(lists)) expect(list.length).toBeLessThanOrEqual(1);
      }
    });

    it('refuses names that are no plain path component', async () => {
      for (const bad of ['..', '.', '', 'a/b', '../../etc', 'a\0b', 'A', 'x'.repeat(200)]) {
        for (const hostile of [
          { namespace: bad, contentUID: 'u' },
          { namespace: 'n', contentUID: bad },
        ]) {
          await expect(store.getReference(hostile, signal)).rejects.toThrow();
          await expect(store.putReference(hostile, reference, signal)).rejects.toThrow();
          await expect(store.deleteReference(hostile, leave, signal)).rejects.toThrow();
        }
      }
    });

    it('lists its blobs with size and time', async () => {
      await put(bytes);
      const [blob] = await collect(store.listBlobs(signal));
      expect(blob).toMatchObject({ digest, sizeBytes: 3_000_000 });
      expect(blob?.modifiedAtMilliseconds).toBeGreaterThan(1_700_000_000_000);
    });

    it('discards what nobody names, and keeps what somebody names by then', async () => {
      const kept = randomBytes(100);
      await put(bytes);
      await put(kept);
      const result = await store.discardBlobs(
        new Set([digest, digestOf(kept), digestOf(Buffer.from('never there'))]),
        async () => new Set([digestOf(kept)]),
        signal,
      );
      expect(result).toEqual({ freedBytes: 3_000_000 });
      expect(await store.statBlob(digest, signal)).toBeUndefined();
      expect((await read(digestOf(kept))).equals(kept)).toBe(true);
    });

    it('discards nothing when nobody can say what is named', async () => {
      await put(bytes);
      const failing = store.discardBlobs(
        new Set([digest]),
        async () => {
          throw new Error('unreadable');
        },
        signal,
      );
      await expect(failing).rejects.toThrow('unreadable');
      expect((await read(digest)).equals(bytes)).toBe(true);
      expect(await store.discardBlobs(new Set(), none, signal)).toEqual({ freedBytes: 0 });
    });

    it('keeps a blob that one of two discards at once was told is named', async () => {
      await put(bytes);
      const first = Promise.withResolvers<ReadonlySet<Digest>>();
      const second = Promise.withResolvers<ReadonlySet<Digest>>();
      const asked: string[] = [];
      const ask = (name: string, answer: Promise<ReadonlySet<Digest>>) => () => {
        asked.push(name);
        return answer;
      };
      const early = store.discardBlobs(new Set([digest]), ask('early', first.promise), signal);
      await vi.waitFor(() => expect(asked).toEqual(['early']), waiting);
      // A publisher finds the blob gone, writes it again and names it; only the later of the two hears of that.
      await put(bytes);
      const late = store.discardBlobs(new Set([digest]), ask('late', second.promise), signal);
      await vi.waitFor(() => expect(asked).toEqual(['early', 'late']), waiting);
      first.resolve(new Set());
      await early;
      second.resolve(new Set([digest]));
      await late;
      expect((await read(digest)).equals(bytes)).toBe(true);
    });

    it('rejects with the reason of an aborted signal', async () => {
      const why = new Error('cancelled by the user');
      const aborted = AbortSignal.abort(why);
      await expect(store.putBlob(digest, bytes.byteLength, bytes, aborted)).rejects.toBe(why);
      await expect(store.statBlob(digest, aborted)).rejects.toBe(why);
      await expect(store.putReference(key, reference, aborted)).rejects.toBe(why);
      expect(await store.getReference(key, signal)).toBeUndefined();
    });
  });
}
