import { randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

  it('is lost, not corrupt, where the store has no reference', async () => {
    await expect(readArtifact(store, key, signal)).rejects.toMatchObject({
      kind: 'gone',
      reason: 'ArtifactLost',
    });
  });
});
