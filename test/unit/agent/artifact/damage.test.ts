import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { extractArtifact } from '../../../../agent/artifact/extract.ts';
import { blobsOf } from '../../../../agent/artifact/manifest.ts';
import { publishArtifact } from '../../../../agent/artifact/publish.ts';
import type { PublishedArtifact } from '../../../../agent/artifact/published.ts';
import { readArtifact } from '../../../../agent/artifact/read.ts';
import { verifyArtifact } from '../../../../agent/artifact/verify.ts';
import { makeDump, someFacts } from '../../../support/fake-dump.ts';
import { type MemoryStore, memoryStore } from '../../../support/memory-store.ts';

const signal = new AbortController().signal;
const key = { namespace: 'default', contentUID: 'c0ffee' };
const mebibyte = 2 ** 20;

describe('a damaged artifact', () => {
  let directory: string;
  let store: MemoryStore;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'damage-'));
    store = memoryStore();
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const publish = async (): Promise<PublishedArtifact> => {
    const stagingDirectory = join(directory, 'staging');
    const dump = await makeDump(stagingDirectory, {
      'pages-1.img': Buffer.concat([randomBytes(4 * mebibyte + 777), Buffer.alloc(8 * mebibyte)]),
      'pages-2.img': Buffer.from('all work and no play '.repeat(70_000)),
    });
    return publishArtifact({
      ...{ store, dump, stagingDirectory, facts: someFacts, key, fence: 1, signal },
      beforeReference: async () => undefined,
      onProgress: () => undefined,
    });
  };

  it('is refused with ArtifactCorrupt for any damage, and nothing is extracted', async () => {
    const { manifest, digest } = await publish();
    const out = join(directory, 'out');
    for (const blob of [digest, ...blobsOf(manifest).map((each) => each.digest)]) {
      const good = store.blobs.get(blob);
      if (good === undefined) throw new Error('missing');
      const at = Math.floor(Math.random() * good.bytes.byteLength);
      const flipped = Buffer.from(good.bytes);
      flipped[at] = (flipped[at] ?? 0) ^ (1 << Math.floor(Math.random() * 8));
      const cut = good.bytes.subarray(0, at);
      for (const bytes of [flipped, cut]) {
        store.blobs.set(blob, { bytes, modifiedAtMilliseconds: 0 });
        const corrupt = { reason: 'ArtifactCorrupt', message: expect.stringContaining(blob) };
        await expect(verifyArtifact(store, key, signal)).rejects.toMatchObject(corrupt);
        await expect(extractArtifact(store, key, out, signal)).rejects.toMatchObject(corrupt);
      }
      store.blobs.delete(blob);
      await expect(extractArtifact(store, key, out, signal)).rejects.toMatchObject({
        reason: 'ArtifactCorrupt',
      });
      store.blobs.set(blob, good);
    }
    expect(await readdir(directory)).toEqual(['staging']);
    await extractArtifact(store, key, out, signal);
  });

  it('is refused for any single flipped bit, any cut and anything added, in any blob', async () => {
    const { manifest, digest } = await publish();
    const blobs = [digest, ...blobsOf(manifest).map((each) => each.digest)];
    const out = join(directory, 'out');
    const damage = fc.record({
      blob: fc.nat(),
      kind: fc.constantFrom('flip', 'cut', 'added'),
      // Headers and trailers are short, so ends come up as often as what lies between.
      at: fc.oneof(
        fc.double({ min: 0, max: 1, noNaN: true, maxExcluded: true }),
        fc.integer({ min: 0, max: 40 }),
        fc.integer({ min: -40, max: -1 }),
      ),
      bit: fc.integer({ min: 0, max: 7 }),
    });
    await fc.assert(
      fc.asyncProperty(damage, async ({ blob, kind, at, bit }) => {
        const name = blobs[blob % blobs.length] ?? digest;
        const good = store.blobs.get(name);
        if (good === undefined) throw new Error('missing');
        const { byteLength } = good.bytes;
        const wanted = Number.isInteger(at) ? at : Math.floor(at * byteLength);
        const index = Math.min(
          byteLength - 1,
          Math.max(0, wanted < 0 ? byteLength + wanted : wanted),
        );
        const bytes =
          kind === 'cut'
            ? good.bytes.subarray(0, index)
            : Buffer.concat([good.bytes, kind === 'added' ? Buffer.from([bit]) : Buffer.alloc(0)]);
        if (kind === 'flip') bytes[index] = (bytes[index] ?? 0) ^ (1 << bit);
        store.blobs.set(name, { ...good, bytes });
        const corrupt = { reason: 'ArtifactCorrupt', message: expect.stringContaining(name) };
        await expect(verifyArtifact(store, key, signal)).rejects.toMatchObject(corrupt);
        await expect(extractArtifact(store, key, out, signal)).rejects.toMatchObject(corrupt);
        expect(await readdir(directory)).toEqual(['staging']);
        store.blobs.set(name, good);
      }),
      { numRuns: 40 },
    );
  }, 60_000);

  it('is lost, not corrupt, where the store has no reference', async () => {
    await expect(readArtifact(store, key, signal)).rejects.toMatchObject({
      kind: 'gone',
      reason: 'ArtifactLost',
    });
  });
});
