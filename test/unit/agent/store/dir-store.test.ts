import { execFileSync } from 'node:child_process';
import { randomBytes, randomUUID } from 'node:crypto';
import {
  lstat,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { digestHex, digestOf } from '../../../../agent/store/digest.ts';
import { dirStore } from '../../../../agent/store/dir/dir-store.ts';
import type { SnapshotStore } from '../../../../agent/store/store.ts';

const signal = new AbortController().signal;
const isRoot = process.getuid?.() === 0;

describe('a store in a directory', () => {
  let directory: string;
  let store: SnapshotStore;
  const key = { namespace: 'default', contentUID: 'uid-1' };
  const blobFile = (bytes: Uint8Array): string =>
    join(directory, 'blobs/sha256', digestHex(digestOf(bytes)));
  const put = (bytes: Uint8Array): Promise<{ readonly written: boolean }> =>
    store.putBlob(digestOf(bytes), bytes.byteLength, bytes, signal);
  const reference = (bytes: Uint8Array) => ({
    digest: digestOf(bytes),
    size: bytes.byteLength,
    mediaType: 'application/vnd.oci.image.manifest.v1+json',
    fence: 1,
  });

  const leftovers = async (before: number): Promise<readonly string[]> => {
    const names: string[] = [];
    for await (const { name } of store.listLeftovers(before, signal)) names.push(name);
    return names;
  };

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'dir-store-'));
    store = dirStore(directory);
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  it('keeps files to their owner and leaves no temporary ones', async () => {
    const bytes = randomBytes(1000);
    await put(bytes);
    await store.putReference(key, reference(bytes), signal);
    expect((await lstat(blobFile(bytes))).mode & 0o777).toBe(0o600);
    for (const path of ['blobs', 'blobs/sha256', 'snapshots', 'snapshots/default', 'tmp']) {
      expect((await lstat(join(directory, path))).mode & 0o777, path).toBe(0o700);
    }
    expect(await readdir(join(directory, 'tmp'))).toEqual([]);
  });

  it('writes an OCI layout beside the reference', async () => {
    const bytes = randomBytes(10);
    await put(bytes);
    await store.putReference(key, reference(bytes), signal);
    const layout = join(directory, 'snapshots/default/uid-1');
    expect(JSON.parse(await readFile(join(layout, 'oci-layout'), 'utf8'))).toEqual({
      imageLayoutVersion: '1.0.0',
    });
    const index = JSON.parse(await readFile(join(layout, 'index.json'), 'utf8'));
    expect(index.manifests).toMatchObject([{ digest: digestOf(bytes), size: 10 }]);
    await store.deleteReference(key, async () => undefined, signal);
    expect(await readdir(join(directory, 'snapshots/default'))).toEqual([]);
  });

  it('writes a damaged blob again instead of relying on it', async () => {
    const bytes = randomBytes(5000);
    await put(bytes);
    for (const damaged of [randomBytes(5000), bytes.subarray(0, 100)]) {
      await writeFile(blobFile(bytes), damaged);
      expect(await put(bytes)).toEqual({ written: true });
      expect((await readFile(blobFile(bytes))).equals(bytes)).toBe(true);
    }
  });

  it('makes a blob young again when a publisher finds it', async () => {
    const bytes = randomBytes(50);
    await put(bytes);
    await utimes(blobFile(bytes), 1000, 1000);
    await put(bytes);
    expect((await lstat(blobFile(bytes))).mtimeMs).toBeGreaterThan(1_000_000_000_000);
  });

  it('removes what a dead writer left, not what a living one writes', async () => {
    await mkdir(join(directory, 'tmp'));
    const living = `12-${randomUUID()}`;
    for (const name of [`12-${randomUUID()}`, living, 'notes.txt']) {
      await writeFile(join(directory, 'tmp', name), 'x');
      if (name !== living) await utimes(join(directory, 'tmp', name), 1000, 1000);
    }
    await put(randomBytes(5));
    // What no writer of ours can have left is somebody else's.
    expect((await readdir(join(directory, 'tmp'))).toSorted()).toEqual([living, 'notes.txt']);
  });

  it('finishes what an interrupted discard left aside', async () => {
    const named = randomBytes(30);
    const unnamed = randomBytes(40);
    await put(named);
    await put(unnamed);
    await mkdir(join(directory, 'trash'), { recursive: true });
    for (const bytes of [named, unnamed]) {
      const name = `${digestHex(digestOf(bytes))}.${randomUUID()}`;
      await rename(blobFile(bytes), join(directory, 'trash', name));
    }
    expect(await leftovers(Date.now())).toEqual([
      expect.stringMatching(/^trash\//),
      expect.stringMatching(/^trash\//),
    ]);
    const freed = await store.discardBlobs(
      new Set(),
      async () => new Set([digestOf(named)]),
      signal,
    );
    expect(freed).toEqual({ freedBytes: 40 });
    expect(await store.statBlob(digestOf(named), signal)).toBe(30);
    expect(await readdir(join(directory, 'trash'))).toEqual([]);
  });

  it('removes a layout whose reference was never written or is deleted, once it is old', async () => {
    const bytes = randomBytes(10);
    await put(bytes);
    await store.putReference(key, reference(bytes), signal);
    const other = { ...key, contentUID: 'uid-2' };
    await store.putReference(other, reference(bytes), signal);
    await rm(join(directory, 'snapshots/default/uid-1.json'));
    expect(await leftovers(Date.now())).toEqual([]);
    for (const name of ['uid-1', 'uid-2']) {
      await utimes(join(directory, 'snapshots/default', name), 1000, 1000);
    }
    expect(await leftovers(Date.now())).toEqual(['snapshots/default/uid-1']);
    await store.removeLeftovers(Date.now(), signal);
    expect((await readdir(join(directory, 'snapshots/default'))).toSorted()).toEqual([
      'uid-2',
      'uid-2.json',
    ]);
  });

  it('never takes the file of a living writer for a leftover, whatever the grace', async () => {
    await mkdir(join(directory, 'tmp'));
    const [living, dead] = [`12-${randomUUID()}`, `13-${randomUUID()}`];
    for (const name of [living, dead]) await writeFile(join(directory, 'tmp', name), 'x');
    await utimes(join(directory, 'tmp', dead), 1000, 1000);
    expect(await leftovers(Date.now() + 1e9)).toEqual([`tmp/${dead}`]);
    await store.removeLeftovers(Date.now() + 1e9, signal);
    expect(await readdir(join(directory, 'tmp'))).toEqual([living]);
  });

  it('follows no symlink, wherever one stands', async () => {
    const outside = await mkdtemp(join(tmpdir(), 'outside-'));
    const bytes = randomBytes(20);
    await put(bytes);
    await writeFile(join(outside, 'secret'), bytes);
    await rm(blobFile(bytes));
    await symlink(join(outside, 'secret'), blobFile(bytes));
    await expect(store.getBlob(digestOf(bytes), undefined, signal)).rejects.toThrow();
    await expect(put(bytes)).rejects.toMatchObject({ reason: 'StorageError' });

    await mkdir(join(directory, 'snapshots'));
    await symlink(outside, join(directory, 'snapshots/default'));
    await expect(store.putReference(key, reference(bytes), signal)).rejects.toMatchObject({
      reason: 'StorageError',
    });
    await rm(join(directory, 'tmp'), { recursive: true });
    await symlink(outside, join(directory, 'tmp'));
    await expect(put(randomBytes(5))).rejects.toMatchObject({ reason: 'StorageError' });
    expect(await readdir(outside)).toEqual(['secret']);
    await rm(outside, { recursive: true });
  });

  it('is not held up by a FIFO in the place of a blob', async () => {
    const bytes = randomBytes(20);
    await put(bytes);
    await rm(blobFile(bytes));
    execFileSync('mkfifo', [blobFile(bytes)]);
    await expect(store.getBlob(digestOf(bytes), undefined, signal)).rejects.toMatchObject({
      reason: 'StorageError',
    });
  });

  it('refuses a reference it cannot read, and does not pass over it in a listing', async () => {
    await mkdir(join(directory, 'snapshots/default'), { recursive: true });
    const file = join(directory, 'snapshots/default/uid-1.json');
    for (const text of ['', '{', '{"digest":"sha256:../../x","size":1}', ' '.repeat(70_000)]) {
      await writeFile(file, text);
      await expect(store.getReference(key, signal)).rejects.toMatchObject({
        reason: 'ArtifactCorrupt',
      });
      await expect(
        store.listReferences(signal)[Symbol.asyncIterator]().next(),
      ).rejects.toMatchObject({ reason: 'ArtifactCorrupt' });
    }
  });

  it('says StorageError, and creates nothing, where the directory is missing', async () => {
    const missing = dirStore(join(directory, 'not-mounted'));
    const bytes = randomBytes(4);
    const attempts: readonly (() => Promise<unknown>)[] = [
      () => missing.putBlob(digestOf(bytes), 4, bytes, signal),
      () => missing.statBlob(digestOf(bytes), signal),
      () => missing.getReference(key, signal),
      () => missing.checkWritable(signal),
      () => missing.freeBytes(signal),
    ];
    for (const attempt of attempts) {
      await expect(attempt()).rejects.toMatchObject({ kind: 'retry', reason: 'StorageError' });
    }
    expect(await readdir(directory)).toEqual([]);
  });

  it('tells whether it could be written, and its free bytes', async () => {
    await store.checkWritable(signal);
    expect(await readdir(join(directory, 'tmp'))).toEqual([]);
    expect(await store.freeBytes(signal)).toBeGreaterThan(0);
  });

  it.runIf(isRoot)('says StorageFull with numbers, and leaves no half blob', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=1m', 'tmpfs', directory]);
    try {
      const fits = randomBytes(300_000);
      await put(fits);
      await expect(put(randomBytes(2_000_000))).rejects.toMatchObject({
        kind: 'retry',
        reason: 'StorageFull',
        message: expect.stringMatching(/2000000 bytes.*full.*(KiB|MiB|B) are free/),
      });
      expect(await readdir(join(directory, 'tmp'))).toEqual([]);
      expect(await readdir(join(directory, 'blobs/sha256'))).toHaveLength(1);
      const content = await buffer(await store.getBlob(digestOf(fits), undefined, signal));
      expect(content.equals(fits)).toBe(true);
    } finally {
      execFileSync('umount', [directory]);
    }
  });

  it.runIf(isRoot)('says StorageError on a read-only file system, and still reads', async () => {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', directory]);
    try {
      const bytes = randomBytes(100);
      await put(bytes);
      execFileSync('mount', ['-o', 'remount,ro', directory]);
      const refusal = {
        kind: 'retry',
        reason: 'StorageError',
        message: expect.stringContaining('read-only'),
      };
      await expect(put(randomBytes(7))).rejects.toMatchObject(refusal);
      await expect(store.checkWritable(signal)).rejects.toMatchObject(refusal);
      expect(await store.statBlob(digestOf(bytes), signal)).toBe(100);
    } finally {
      execFileSync('umount', [directory]);
    }
  });
});
