import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readArtifact } from '../../../agent/artifact/read.ts';
import { digestHex } from '../../../agent/store/digest.ts';
import { dirStore } from '../../../agent/store/dir/dir-store.ts';
import { parseImages } from '../../../cli/inspection/container-images.ts';
import { Failure } from '../../../core/failure.ts';
import { type CliRun, runCliInProcess } from '../../support/run-cli.ts';
import { madeUpImages, publishImages, someRoot } from './support/made-up-images.ts';

describe('cryopod inspect', () => {
  let base: string;
  let root: string;
  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'inspect-'));
    await mkdir(join(base, 'store'));
    root = await publishImages(base, 'one', madeUpImages(someRoot));
  });
  afterAll(() => rm(base, { recursive: true, force: true }));

  const inspect = (...words: readonly string[]): Promise<CliRun> =>
    runCliInProcess(['inspect', ...words]);
  const json = async (...words: readonly string[]) =>
    JSON.parse((await inspect('one', '--store', root, '-o', 'json', ...words)).printed);

  it('shows tree, sockets, files, mappings and what a process was started with', async () => {
    const { containers } = await json();
    const [container] = containers;
    expect(container.inventory).toMatchObject({ imageVersion: 2, securityModule: 'AppArmor' });
    const [python, zombie] = container.processes;
    expect(python).toMatchObject({
      ...{ pid: 1, parentPid: 0, state: 'alive', command: 'python3', residentBytes: 3 * 4096 },
      ...{ executable: '/usr/bin/python3', workingDirectory: '/usr/bin/python3' },
      threads: ['python3', 'worker'],
      credentials: {
        ...{ uid: 1000, noNewPrivileges: true, seccomp: 'filter' },
        capabilities: { effective: ['NET_BIND_SERVICE'], ambient: ['NET_BIND_SERVICE'] },
      },
    });
    expect(zombie).toMatchObject({ pid: 9, parentPid: 1, state: 'zombie', waitStatus: 256 });
    expect(python.descriptors).toEqual([
      {
        ...{ descriptor: 3, closeOnExec: false, kind: 'file', name: '/var/log/app.log' },
        ...{ removed: true, flags: 'rw,append', positionBytes: 5, sizeBytes: 10 },
      },
      {
        ...{ descriptor: 4, closeOnExec: true, kind: 'inet', protocol: 'tcp', state: 'listening' },
        ...{ name: '127.0.0.1:8080 0.0.0.0:*', local: '127.0.0.1:8080', remote: '0.0.0.0:*' },
      },
      {
        ...{ descriptor: 5, closeOnExec: false, kind: 'unix', name: '@abstract', type: 'stream' },
        ...{ state: 'listening', inode: 8, peerInode: 0 },
      },
      { descriptor: 6, closeOnExec: false, kind: 'epoll', name: 'watches 4' },
    ]);
    expect(python.largestMappings).toEqual([
      {
        ...{ start: '0x100000', sizeBytes: 4 * 4096, residentBytes: 2 * 4096 },
        ...{ protection: 'rw-p', kind: 'heap' },
      },
      expect.objectContaining({ kind: 'stack', residentBytes: 4096 }),
      expect.objectContaining({ kind: 'file', path: '/var/log/app.log', residentBytes: 0 }),
    ]);
  });

  it('masks secrets unless it is told otherwise', async () => {
    const [{ arguments: words, environment }] = (await json()).containers[0].processes;
    expect(words).toEqual(['python3', '/app.py', '--token', '***']);
    expect(environment).toEqual([
      { name: 'PATH', value: '/bin' },
      { name: 'API_KEY', value: '***' },
      { name: 'DATABASE_URL', value: 'postgres://***@db/x' },
    ]);
    const shown = (await json('--show-secrets')).containers[0].processes[0];
    expect(shown.arguments).toEqual(someRoot.words);
    expect(shown.environment[1]).toEqual({ name: 'API_KEY', value: 'abc123' });
    const text = await inspect('one', '--store', root);
    expect(text.printed).not.toMatch(/hunter2|abc123|me:pw/);
  });

  it('prints the tree, and everything in tables', async () => {
    const { code, printed } = await inspect('default/snapshot-one', '--store', root);
    expect(code).toBe(0);
    for (const line of [
      /^1 +0 +alive +1000 +2 +12.0 KiB +NET_BIND_SERVICE +python3 \/app.py --token \*\*\*$/m,
      /^9 +1 +zombie +- +1 +0 B +- {10,}\[sh\]$/m,
      /^1 +4 +tcp +listening +127.0.0.1:8080 +0.0.0.0:\*$/m,
      /^1 +3 +file +rw,append +5 +10 +\/var\/log\/app.log \(deleted\)$/m,
      /^1 +0x100000 +16.0 KiB +8.0 KiB +rw-p +heap$/m,
      /^ENVIRONMENT OF 1$/m,
      /^dev-shm +\d/m,
    ]) {
      expect(printed).toMatch(line);
    }
  });

  it('finds a snapshot by each of its names, and in an archive without a store', async () => {
    const { digest } = await json();
    const names = ['default/one', 'podsnapshotcontent-one', 'snapshot-one', digest];
    for (const name of names) {
      expect((await inspect(name, '--store', root)).code, name).toBe(0);
    }
    const archive = join(base, 'one.tar');
    await runCliInProcess(['artifact', 'export', 'one', archive, '--store', root]);
    const { printed } = await inspect(`oci-archive:${archive}`, '-o', 'json');
    expect(JSON.parse(printed)).toEqual({ ...(await json()), name: `oci-archive:${archive}` });
  });

  it('refuses an archive that is cut off or changed, wherever, and reads nothing else as one', async () => {
    const archive = join(base, 'whole.tar');
    await runCliInProcess(['artifact', 'export', 'one', archive, '--store', root]);
    const bytes = await readFile(archive);
    const named = `oci-archive:${join(base, 'odd.tar')}`;
    const outcomes = async (odd: Buffer): Promise<CliRun> => {
      await writeFile(join(base, 'odd.tar'), odd);
      return await inspect(named);
    };
    for (let length = 0; length < bytes.byteLength - 1024; length += 1511) {
      const { code, complaints } = await outcomes(bytes.subarray(0, length));
      expect({ code, complaints }, `${length} bytes`).toMatchObject({
        code: 1,
        complaints: expect.stringMatching(/damaged|cannot be read/),
      });
    }
    // The last blob is a volume, which nobody reads here; every other byte is covered by a digest or a checksum.
    for (let at = 0; at < bytes.byteLength - 4096; at += 997) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ 0x11;
      const { code, complaints, printed } = await outcomes(changed);
      if (code !== 0) expect(complaints, `byte ${at}`).toMatch(/damaged/);
      else expect(printed, `byte ${at}`).toContain('python3 /app.py');
    }
  });

  it('reads of the memory only the chunks with arguments and environments', async () => {
    // Three chunks of heap, of equal content and so stored once, and one of the stack.
    await publishImages(base, 'large', madeUpImages({ ...someRoot, heapPages: 3 * 1024 }));
    const key = { namespace: 'default', contentUID: 'large' };
    const { config } = await readArtifact(dirStore(root), key, new AbortController().signal);
    const [heap] = config.containers[0]?.memory[0]?.chunks ?? [];
    if (heap === undefined || heap.encoding === 'zero') throw new Error('the heap is not stored');
    await rm(join(root, 'blobs', 'sha256', digestHex(heap.digest)));
    const { code, printed } = await inspect('large', '--store', root);
    expect(code).toBe(0);
    expect(printed).toMatch(/^1 +0 +alive .* 12.0 MiB .* python3 \/app.py/m);
  });

  it('says what it does not find, and what it lacks', async () => {
    const absent = await inspect('nothing', '--store', root);
    expect(absent).toMatchObject({ code: 3 });
    expect(absent.complaints).toContain('the store has no snapshot "nothing"');
    const storeless = await inspect('one');
    expect(storeless).toMatchObject({ code: 2 });
    expect(storeless.complaints).toContain('--store');
    expect((await inspect('oci-archive:/nowhere')).complaints).toContain('cannot be read');
  });

  it('refuses images that contradict each other, naming the one', async () => {
    const { 'core-2.img': _, ...headless } = madeUpImages(someRoot);
    await publishImages(base, 'headless', headless);
    const lacking = await inspect('headless', '--store', root);
    expect(lacking).toMatchObject({ code: 1, printed: '' });
    expect(lacking.complaints).toContain('core-2.img is damaged: it is missing');
    const images = madeUpImages(someRoot);
    await publishImages(base, 'short', { ...images, 'pages-1.img': Buffer.alloc(4096) });
    const short = await inspect('short', '--store', root);
    expect(short.complaints).toContain('pages-1.img has 4096 bytes, which are not 3 pages');
  });

  it('reads or refuses in words whatever one changed byte of an image makes of it', async () => {
    const images = madeUpImages(someRoot);
    const names = Object.keys(images).filter((name) => !name.startsWith('pages'));
    const property = fc.property(
      fc.nat(names.length - 1),
      fc.nat(1000),
      fc.integer({ min: 1, max: 255 }),
      (index, at, change) => {
        const name = names[index] ?? '';
        const changed = Buffer.from(images[name] ?? '');
        const place = at % changed.byteLength;
        changed[place] = (changed[place] ?? 0) ^ change;
        try {
          parseImages(new Map(Object.entries({ ...images, [name]: changed })));
          return true;
        } catch (error) {
          return error instanceof Failure && error.reason === 'ArtifactCorrupt';
        }
      },
    );
    await fc.assert(property, { numRuns: 500 });
  });
});
