import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { adoptArtifact } from '../../../../agent/artifact/adopt.ts';
import { deleteArtifact } from '../../../../agent/artifact/delete.ts';
import { verifyArtifact } from '../../../../agent/artifact/verify.ts';
import type { Digest, ReferenceKey, SnapshotStore } from '../../../../agent/store/store.ts';
import { publishInto, somePages } from '../../../support/one-artifact.ts';

const signal = new AbortController().signal;
const first: ReferenceKey = { namespace: 'default', contentUID: 'first' };
const second: ReferenceKey = { namespace: 'other', contentUID: 'second' };

describe('an artifact that a second content adopts', () => {
  let base: string;
  let store: SnapshotStore;
  let digest: Digest;
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'adopt-'));
    const published = await publishInto(base, first, somePages());
    store = published.store;
    digest = published.digest as Digest;
  });
  afterEach(() => rm(base, { recursive: true, force: true }));

  it('stays whole when the first content is deleted, and goes with the second', async () => {
    const artifact = await adoptArtifact(store, digest, second, signal);
    expect(artifact.digest).toBe(digest);
    expect(artifact.storedBytes).toBeGreaterThan(0);
    await deleteArtifact(store, first, signal);
    await verifyArtifact(store, second, signal);
    await deleteArtifact(store, second, signal);
    expect(await store.statBlob(digest, signal)).toBeUndefined();
  });

  it('is adopted once, however often it is done', async () => {
    const once = await adoptArtifact(store, digest, second, signal);
    expect(await adoptArtifact(store, digest, second, signal)).toEqual(once);
  });

  it('is lost when the store has none of that digest, and nothing is written', async () => {
    const none: Digest = `sha256:${'0'.repeat(64)}`;
    await expect(adoptArtifact(store, none, second, signal)).rejects.toMatchObject({
      ...{ kind: 'gone', reason: 'ArtifactLost' },
    });
    expect(await store.getReference(second, signal)).toBeUndefined();
  });

  it('is corrupt when a blob of it is missing, and nothing is written', async () => {
    const { manifest } = await verifyArtifact(store, first, signal);
    const blob = manifest.layers[0]?.digest ?? manifest.config.digest;
    await store.discardBlobs(new Set([blob]), async () => new Set(), signal);
    await expect(adoptArtifact(store, digest, second, signal)).rejects.toMatchObject({
      reason: 'ArtifactCorrupt',
    });
    expect(await store.getReference(second, signal)).toBeUndefined();
  });

  it('is corrupt when the digest names a blob that is no manifest', async () => {
    const { manifest } = await verifyArtifact(store, first, signal);
    await expect(
      adoptArtifact(store, manifest.config.digest, second, signal),
    ).rejects.toMatchObject({ reason: 'ArtifactCorrupt' });
  });

  it('does not replace another one that stands under the content', async () => {
    const other: ReferenceKey = { namespace: 'default', contentUID: 'third' };
    await publishInto(base, other, somePages());
    await expect(adoptArtifact(store, digest, other, signal)).rejects.toMatchObject({
      reason: 'ContentConflict',
    });
    await verifyArtifact(store, other, signal);
  });

  it('takes its reference back when a sweep was faster than the reference', async () => {
    const { manifest } = await verifyArtifact(store, first, signal);
    const blob = manifest.layers[0]?.digest ?? manifest.config.digest;
    const swept: SnapshotStore = {
      ...store,
      putReference: async (key, reference, stop) => {
        await store.discardBlobs(new Set([blob]), async () => new Set(), stop);
        return store.putReference(key, reference, stop);
      },
    };
    await expect(adoptArtifact(swept, digest, second, signal)).rejects.toMatchObject({
      reason: 'ArtifactCorrupt',
    });
    expect(await store.getReference(second, signal)).toBeUndefined();
  });
});
