import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { truncateSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { abandonPublish, deleteArtifact } from '../../../../agent/artifact/delete.ts';
import { extractArtifact } from '../../../../agent/artifact/extract.ts';
import { blobsOf } from '../../../../agent/artifact/manifest.ts';
import { type PublishRequest, publishArtifact } from '../../../../agent/artifact/publish.ts';
import { findPublished } from '../../../../agent/artifact/read.ts';
import { sweepStore } from '../../../../agent/artifact/sweep.ts';
import { verifyArtifact } from '../../../../agent/artifact/verify.ts';
import type { DumpResult } from '../../../../agent/capture/backend.ts';
import { digestOf } from '../../../../agent/store/digest.ts';
import { dirStore } from '../../../../agent/store/dir/dir-store.ts';
import type { SnapshotStore } from '../../../../agent/store/store.ts';
import { makeDump, someFacts } from '../../../support/fake-dump.ts';
import { type MemoryStore, memoryStore } from '../../../support/memory-store.ts';

const signal = new AbortController().signal;
const isRoot = process.getuid?.() === 0;
const hasSkopeo = spawnSync('skopeo', ['--version']).status === 0;
const key = { namespace: 'default', contentUID: 'c0ffee' };
const mebibyte = 2 ** 20;
const random = randomBytes(4 * mebibyte + 777);
const text = Buffer.from('all work and no play '.repeat(70_000));
const pages = {
  // Random, then a hole of a whole chunk and more, then a bit of random again.
  'pages-1.img': Buffer.concat([random, Buffer.alloc(8 * mebibyte), random.subarray(0, 5)]),
  'pages-2.img': text,
  'pages-shmem-3.img': new Uint8Array(),
};

describe('an artifact', () => {
  let directory: string;
  let staging: string;
  let store: MemoryStore;
  let dump: DumpResult;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'artifact-'));
    staging = join(directory, 'staging');
    store = memoryStore();
    dump = await makeDump(staging, pages);
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const request = (over: Partial<PublishRequest> = {}): PublishRequest => ({
    store,
    dump,
    stagingDirectory: staging,
    facts: someFacts,
    key,
    fence: 1,
    beforeReference: async () => undefined,
    onProgress: () => undefined,
    signal,
    ...over,
  });

  it('holds everything the dump left, in a directory as in memory', async () => {
    await rm(join(directory, 'store'), { recursive: true, force: true });
    execFileSync('mkdir', [join(directory, 'store')]);
    for (const target of [store, dirStore(join(directory, 'store'))]) {
      const published = await publishArtifact(request({ store: target }));
      await verifyArtifact(target, key, signal);
      const out = join(directory, `out-${target.traits.name}`);
      const config = await extractArtifact(target, key, out, signal);
      expect(config.containers[0]).toMatchObject({
        name: 'main',
        stdio: dump.containers[0]?.stdio,
      });
      const main = join(out, 'containers/main');
      expect((await readdir(join(main, 'images'))).sort()).toEqual(
        [...Object.keys(pages), 'core-1.img', 'empty-2.img', 'inventory.img'].sort(),
      );
      for (const [name, content] of Object.entries(pages)) {
        expect((await readFile(join(main, 'images', name))).equals(content), name).toBe(true);
      }
      expect(await readFile(join(main, 'images/inventory.img'), 'utf8')).toBe('inventory');
      const printed = ['containers/main/rootfs.tar', 'volumes/dev-shm.tar'].map((tar) =>
        execFileSync('tar', ['-xOf', join(out, tar), './file'], { encoding: 'utf8' }),
      );
      expect(printed).toEqual(['written by the container', 'shared memory']);
      expect(published.sizeBytes).toBeGreaterThan(13 * mebibyte);
      expect(published.storedBytes).toBeLessThan(5 * mebibyte);
    }
  });

  it.runIf(hasSkopeo)('is an OCI image layout that skopeo copies, digest and all', async () => {
    const root = join(directory, 'store');
    execFileSync('mkdir', [root]);
    const { digest } = await publishArtifact(request({ store: dirStore(root) }));
    const source = `oci:${join(root, 'snapshots/default/c0ffee')}:c0ffee`;
    const shared = ['--src-shared-blob-dir', join(root, 'blobs')];
    const target = `dir:${join(directory, 'copy')}`;
    const options = ['--insecure-policy', 'copy', '--quiet', '--preserve-digests', ...shared];
    execFileSync('skopeo', [...options, source, target]);
    const manifest = await readFile(join(directory, 'copy/manifest.json'));
    expect(digestOf(manifest)).toBe(digest);
  });

  it('is the same when the same dump is published again', async () => {
    const first = await publishArtifact(request());
    const again = await publishArtifact(request({ fence: 2 }));
    expect(again).toEqual(first);
    const elsewhere = memoryStore();
    expect((await publishArtifact(request({ store: elsewhere }))).digest).toBe(first.digest);
  });

  it('is never replaced by another one under the same key', async () => {
    const first = await publishArtifact(request());
    const other = publishArtifact(request({ dump: { ...dump, freezeMilliseconds: 13 } }));
    await expect(other).rejects.toMatchObject({ kind: 'conflict', reason: 'ContentConflict' });
    expect((await store.getReference(key, signal))?.digest).toBe(first.digest);
  });

  it('tells progress up to the last byte', async () => {
    const seen: { bytesDone: number; bytesTotal: number }[] = [];
    await publishArtifact(request({ onProgress: (progress) => seen.push(progress) }));
    const done = seen.map((progress) => progress.bytesDone);
    expect(done).toEqual([...done].sort((a, b) => a - b));
    expect(done.at(-1)).toBe(seen[0]?.bytesTotal);
  });

  it('shows nothing when the right to publish is lost at the last moment', async () => {
    const lost = new Error('lease lost');
    const refused = publishArtifact(request({ beforeReference: () => Promise.reject(lost) }));
    await expect(refused).rejects.toThrow('lease lost');
    expect(await findPublished(store, key, signal)).toBeUndefined();
  });

  it('stops between chunks when it is cancelled, and goes on from there', async () => {
    const cancel = new AbortController();
    const why = new Error('cancelled');
    const onProgress: PublishRequest['onProgress'] = ({ bytesDone }) => {
      if (bytesDone > 8 * mebibyte) cancel.abort(why);
    };
    const stopped = publishArtifact(request({ signal: cancel.signal, onProgress }));
    await expect(stopped).rejects.toBe(why);
    expect(store.references.size).toBe(0);
    const left = store.blobs.size;
    expect(left).toBeGreaterThan(0);
    const { manifest } = await publishArtifact(request());
    expect(left).toBeLessThan(blobsOf(manifest).length);
    await verifyArtifact(store, key, signal);
  });

  it('comes out the same wherever a write was the last one before a crash', async () => {
    const whole = await publishArtifact(request());
    const writes = blobsOf(whole.manifest).length + 2;
    for (let last = 0; last < writes; last += 1) {
      store = memoryStore();
      let count = 0;
      const crash = new Error('crash');
      const counted = async <T>(write: () => Promise<T>): Promise<T> => {
        count += 1;
        if (count > last) throw crash;
        return await write();
      };
      const dying: SnapshotStore = {
        ...store,
        putBlob: (...given) => counted(() => store.putBlob(...given)),
        putReference: (...given) => counted(() => store.putReference(...given)),
      };
      await expect(publishArtifact(request({ store: dying }))).rejects.toThrow('crash');
      expect(await findPublished(store, key, signal), `after ${last}`).toBeUndefined();
      expect(await publishArtifact(request())).toEqual(whole);
      await verifyArtifact(store, key, signal);
    }
  }, 60_000);

  it('writes again what a sweep took before the reference named it', async () => {
    const greedy: SnapshotStore = {
      ...store,
      putReference: async (...given) => {
        const written = await store.putReference(...given);
        store.blobs.clear();
        return written;
      },
    };
    await publishArtifact(request({ store: greedy }));
    await verifyArtifact(store, key, signal);
  });

  it('is found complete, or not complete with the reason', async () => {
    expect(await findPublished(store, key, signal)).toBeUndefined();
    const published = await publishArtifact(request());
    expect(await findPublished(store, key, signal)).toMatchObject({
      complete: true,
      artifact: published,
      reference: { fence: 1 },
    });
    const last = published.manifest.layers.at(-1);
    if (last === undefined) throw new Error('no layers');
    store.blobs.delete(last.digest);
    expect(await findPublished(store, key, signal)).toMatchObject({
      complete: false,
      why: expect.stringContaining(last.digest),
    });
    await publishArtifact(request());
    expect(await findPublished(store, key, signal)).toMatchObject({ complete: true });
  });

  it('takes all its bytes along when it is deleted, but none that another one needs', async () => {
    await publishArtifact(request());
    const alone = store.blobs.size;
    const second = { ...key, contentUID: 'second' };
    await publishArtifact(
      request({ key: second, facts: { ...someFacts, contentUID: 'second' }, fence: 9 }),
    );
    expect(store.blobs.size).toBe(alone + 2);
    const first = await deleteArtifact(store, key, signal);
    expect(first.freedBytes).toBeGreaterThan(0);
    expect(store.blobs.size).toBe(alone);
    await verifyArtifact(store, second, signal);
    await deleteArtifact(store, second, signal);
    expect(store.blobs.size).toBe(0);
    expect(await deleteArtifact(store, second, signal)).toEqual({
      freedBytes: 0,
      kept: undefined,
    });
  });

  it('keeps every blob while another artifact cannot be read', async () => {
    const published = await publishArtifact(request());
    const second = { ...key, contentUID: 'second' };
    await publishArtifact(request({ key: second, facts: { ...someFacts, contentUID: 'second' } }));
    const before = store.blobs.size;
    store.blobs.set(published.digest, { bytes: Buffer.from('{}'), modifiedAtMilliseconds: 0 });
    const deleted = await deleteArtifact(store, second, signal);
    expect(deleted).toMatchObject({ freedBytes: 0, kept: expect.stringContaining('damaged') });
    expect(store.blobs.size).toBe(before);
    expect(await store.getReference(second, signal)).toBeUndefined();
    await deleteArtifact(store, key, signal);
    await sweepStore(store, 0, Date.now() + 1, signal);
    expect(store.blobs.size).toBe(0);
  });

  it('leaves nothing behind when a publish is given up', async () => {
    const lost = request({ beforeReference: () => Promise.reject(new Error('cancelled')) });
    await expect(publishArtifact(lost)).rejects.toThrow('cancelled');
    expect(store.blobs.size).toBeGreaterThan(0);
    const { freedBytes } = await abandonPublish(store, staging, signal);
    expect(freedBytes).toBeGreaterThan(4 * mebibyte);
    expect(store.blobs.size).toBe(0);
    const never = await abandonPublish(store, join(directory, 'nothing'), signal);
    expect(never.freedBytes).toBe(0);
  });

  it('reports a dump that became shorter', async () => {
    const file = join(staging, 'images/pages-1.img');
    await truncate(file, 64 * mebibyte);
    const onProgress = (): void => truncateSync(file, 5);
    await expect(publishArtifact(request({ onProgress }))).rejects.toMatchObject({
      reason: 'CheckpointFailed',
      message: expect.stringContaining('pages-1.img'),
    });
  });

  it.runIf(isRoot)('says StorageFull and gives the space back', async () => {
    const mount = await mkdtemp(join(tmpdir(), 'full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=3m', 'tmpfs', mount]);
    try {
      const small = dirStore(mount);
      await expect(publishArtifact(request({ store: small }))).rejects.toMatchObject({
        kind: 'retry',
        reason: 'StorageFull',
        message: expect.stringContaining('are free'),
      });
      expect(await readdir(join(mount, 'blobs/sha256'))).toEqual([]);
      expect(await small.freeBytes(signal)).toBeGreaterThan(2.8 * mebibyte);
      expect(await findPublished(small, key, signal)).toBeUndefined();
      execFileSync('mount', ['-o', 'remount,size=64m', mount]);
      await publishArtifact(request({ store: small }));
      await verifyArtifact(small, key, signal);
    } finally {
      execFileSync('umount', [mount]);
      await rm(mount, { recursive: true });
    }
  });
});
