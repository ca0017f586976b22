import { mkdir, mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { dirStore } from '../../../../agent/store/dir/dir-store.ts';
import { storeIdentity } from '../../../../agent/store/dir/store-identity.ts';

const signal = new AbortController().signal;

describe('which store it is', () => {
  let base: string;
  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'store-identity-'));
    await mkdir(join(base, 'a'));
    await mkdir(join(base, 'b'));
  });
  afterEach(() => rm(base, { recursive: true, force: true }));

  it('is said the same by everybody who sees the same directory, whoever comes first', async () => {
    const root = join(base, 'a');
    await symlink(root, join(base, 'elsewhere'));
    const all = await Promise.all([1, 2, 3, 4].map(() => storeIdentity(root, signal)));
    expect(new Set(all).size).toBe(1);
    expect(await storeIdentity(join(base, 'elsewhere'), signal)).toBe(all[0]);
  });

  it('is said differently of two directories', async () => {
    const [one, other] = ['a', 'b'].map((name) => storeIdentity(join(base, name), signal));
    expect(await one).not.toBe(await other);
  });

  it('is not known where the volume is not mounted, or where the file is somebody else’s', async () => {
    await expect(storeIdentity(join(base, 'missing'), signal)).rejects.toMatchObject({
      reason: 'StorageError',
    });
    for (const text of ['', 'mine\n', 'x'.repeat(100_000)]) {
      await writeFile(join(base, 'b', 'store-id'), text);
      await expect(storeIdentity(join(base, 'b'), signal)).rejects.toMatchObject({
        reason: 'StorageError',
      });
    }
  });

  it('follows no link out of the store', async () => {
    await storeIdentity(join(base, 'a'), signal);
    await symlink(join(base, 'a', 'store-id'), join(base, 'b', 'store-id'));
    await expect(storeIdentity(join(base, 'b'), signal)).rejects.toMatchObject({
      reason: 'StorageError',
    });
  });

  it('leaves nothing behind that a sweep would find', async () => {
    const root = join(base, 'a');
    await storeIdentity(root, signal);
    expect((await readdir(root)).toSorted()).toEqual(['store-id', 'tmp']);
    expect(await readdir(join(root, 'tmp'))).toEqual([]);
    for await (const left of dirStore(root).listLeftovers(Number.MAX_SAFE_INTEGER, signal)) {
      throw new Error(left.name);
    }
  });
});
