import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { leastBytesForThreads } from '../../agent/artifact/chunk-encoder.ts';
import { pacedStore } from '../../agent/artifact/paced-store.ts';
import { publishArtifact } from '../../agent/artifact/publish.ts';
import { findPublished } from '../../agent/artifact/read.ts';
import { verifyArtifact } from '../../agent/artifact/verify.ts';
import { dirStore } from '../../agent/store/dir/dir-store.ts';
import { dumpIn, makeDump, someFacts } from '../support/fake-dump.ts';

const { signal } = new AbortController();
const key = { namespace: 'default', contentUID: 'uid' };
const mebibyte = 2 ** 20;
const driver = join(import.meta.dirname, 'publish-driver.ts');
/** Enough for worker threads to be in it. */
const memoryBytes = leastBytesForThreads + 5 * mebibyte;

/** From now on every operation on the ext4 at `root` is answered as by a dead disk (EXT4_IOC_SHUTDOWN, without writing the log). */
function failDisk(root: string): void {
  const program =
    'open(F, "<", $ARGV[0]); $flag = pack("L", 2); ioctl(F, 0x8004587d, $flag) or die $!';
  execFileSync('perl', ['-e', program, root]);
}

describe('a publish into a store in trouble', () => {
  let base: string;
  let staging: string;
  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'store-trouble-'));
    staging = join(base, 'staging');
    await makeDump(staging, { 'pages-1.img': randomBytes(memoryBytes) });
  });
  afterAll(() => rm(base, { recursive: true, force: true }));

  const publish = (root: string, onWritten: (bytes: number) => void = () => {}) =>
    publishArtifact({
      store: pacedStore(dirStore(root), { spend: async () => {} }, onWritten),
      ...{ dump: dumpIn, stagingDirectory: staging, facts: someFacts, key, fence: 0, signal },
      beforeReference: async () => {},
      onProgress: () => {},
    });
  const mounted = async (options: readonly string[], use: (root: string) => Promise<void>) => {
    const root = await mkdtemp(join(base, 'mount-'));
    execFileSync('mount', [...options, root]);
    try {
      await use(root);
    } finally {
      execFileSync('umount', ['--lazy', root]);
    }
  };

  it.each([0, 50, 99])(
    'that is full at %i percent: StorageFull with the numbers, nothing half-published, all given back',
    async (percent) => {
      const room = Math.ceil((memoryBytes * percent) / 100 / 4096) * 4096;
      const size = `size=${Math.max(room, 4096)}`;
      await mounted(['-t', 'tmpfs', '-o', size, 'tmpfs'], async (root) => {
        if (percent === 0) await writeFile(join(root, 'somebody-else'), Buffer.alloc(4096));
        await expect(publish(root)).rejects.toMatchObject({
          kind: 'retry',
          reason: 'StorageFull',
          message: expect.stringMatching(/could not .*: it is full; \d.* are free$/),
        });
        expect(await findPublished(dirStore(root), key, signal)).toBeUndefined();
        expect(await readdir(join(root, 'blobs/sha256')).catch(() => [])).toEqual([]);
        execFileSync('mount', ['-o', 'remount,size=100m', root]);
        await publish(root);
        await verifyArtifact(dirStore(root), key, signal);
      });
    },
  );

  it('whose disk fails in the middle: StorageError with path and error, and nothing that looks published', async () => {
    const image = join(base, 'image');
    await writeFile(image, '');
    await truncate(image, 200 * mebibyte);
    execFileSync('mkfs.ext4', ['-q', '-F', image]);
    await mounted(['-o', 'loop', image], async (root) => {
      let written = 0;
      const failing = publish(root, (bytes) => {
        const before = written;
        written += bytes;
        if (written > memoryBytes / 2 && before <= memoryBytes / 2) failDisk(root);
      });
      await expect(failing).rejects.toMatchObject({
        kind: 'retry',
        reason: 'StorageError',
        message: expect.stringMatching(new RegExp(`the store ${root} could not .*EIO`)),
      });
    });
    execFileSync('fsck.ext4', ['-p', image]);
    await mounted(['-o', 'loop', image], async (root) => {
      expect(await findPublished(dirStore(root), key, signal)).toBeUndefined();
      await publish(root);
      await verifyArtifact(dirStore(root), key, signal);
    });
  });

  it('that takes part of a write and no more: StorageError, and no blob that is shorter than its name says', async () => {
    const root = join(base, 'short');
    await mkdir(root);
    const limit = `--fsize=${mebibyte}`;
    const { stdout } = spawnSync('prlimit', [limit, process.execPath, driver, root, staging], {
      encoding: 'utf8',
    });
    expect(JSON.parse(stdout)).toMatchObject({
      kind: 'retry',
      reason: 'StorageError',
      message: expect.stringContaining('EFBIG'),
    });
    const store = dirStore(root);
    for await (const blob of store.listBlobs(signal)) expect(blob.sizeBytes).toBeLessThan(mebibyte);
    await publish(root);
    await verifyArtifact(store, key, signal);
  });

  it('by a process that is killed is gone on with: what is stored is not written again', async () => {
    const root = join(base, 'killed');
    await mkdir(root);
    const blobs = async () => (await readdir(join(root, 'blobs/sha256')).catch(() => [])).length;
    const child = spawn(process.execPath, [driver, root, staging], { stdio: 'ignore' });
    const ended = once(child, 'exit');
    while ((await blobs()) < 5 && child.exitCode === null) {
      // Looked at as fast as can be: the moment is short.
    }
    child.kill('SIGKILL');
    await ended;
    expect(await blobs()).toBeGreaterThanOrEqual(5);
    let leftBytes = 0;
    for await (const blob of dirStore(root).listBlobs(signal)) leftBytes += blob.sizeBytes;
    let written = 0;
    const { storedBytes } = await publish(root, (bytes) => {
      written += bytes;
    });
    // A blob has its name only once it is durable, and what has a name is not written again.
    expect(storedBytes - written).toBe(leftBytes);
    // Three whole chunks at least: two other, small parts are stored beside the memory.
    expect(leftBytes).toBeGreaterThanOrEqual(3 * 4 * mebibyte);
    await verifyArtifact(dirStore(root), key, signal);
    let again = 0;
    await publish(root, (bytes) => {
      again += bytes;
    });
    expect(again).toBe(0);
  });
});
