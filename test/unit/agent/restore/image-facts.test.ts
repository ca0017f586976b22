import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readImageFacts } from '../../../../agent/restore/criu/image-facts.ts';
import { findRefusals } from '../../../../agent/restore/gates/gates.ts';
import { Failure } from '../../../../core/failure.ts';
import { imageOf, message } from '../criu-images/image-of.ts';
import { factsWith } from './support/gate-facts.ts';

/** What CRIU 4.2 dumped of a static program with two threads: no_new_privs, two capabilities, groups 1000 and 2000; the first thread has a filter. */
const real = join(import.meta.dirname, '../../../fixtures/criu-images');

describe('the images of a dump', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'images-'));
    cpSync(real, directory, { recursive: true });
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));
  const put = (name: string, bytes: Buffer): void => writeFileSync(join(directory, name), bytes);

  it('of real CRIU tell who may do what, thread by thread', async () => {
    const { threads, ...rest } = await readImageFacts(directory);
    expect(threads.map(({ name }) => name)).toEqual(['process 1 (exe)', 'thread 42 (exe)']);
    expect(threads.map(({ core }) => core.seccompMode)).toEqual([2, 0]);
    for (const { core } of threads) {
      expect(core.credentials).toMatchObject({
        ...{ uid: 0, groups: [1000, 2000], noNewPrivileges: true, securityProfile: undefined },
        capabilities: {
          ...{ permitted: 0x2400n, effective: 0x2400n, bounding: 0x2400n },
          ...{ inheritable: 0n, ambient: 0n },
        },
      });
    }
    expect(rest).toMatchObject({
      unknownFiles: [],
      outside: { mount: 6, pid: 1, user: 7 },
      namespaces: [{ name: 'process 1', mount: 13, pid: 9, user: 7 }],
      networks: ['extNetNs'],
      networkLock: 2,
    });
    const [table] = rest.mountTables;
    expect(table?.filter(({ externalAs }) => externalAs === undefined)).toMatchObject([
      { mountPoint: '/proc', fileSystem: 1, root: '/' },
      { mountPoint: '/', readOnly: false },
    ]);
    expect(table).toContainEqual(
      expect.objectContaining({ mountPoint: '/dev', externalAs: '/dev' }),
    );
  });

  it('of real CRIU pass where the container may have what they have, and not where it may not', async () => {
    const images = await readImageFacts(directory);
    const externalMounts = images.mountTables.flat().flatMap(({ externalAs }) => externalAs ?? []);
    const mounts = { points: new Set(externalMounts), readOnly: new Set<string>() };
    const placeholder = { images, externalMounts, mounts };
    const gates = (privileges: object): readonly string[] =>
      findRefusals(factsWith({ ...placeholder, privileges })).map(({ gate }) => gate);
    expect(gates({ noNewPrivileges: true })).toEqual([]);
    expect(gates({ bounding: 0x2000n, permitted: 0x2000n })).toEqual([
      'capabilities',
      'capabilities',
    ]);
    // The second thread has none in the dump.
    expect(gates({ seccompMode: 2 })).toEqual(['seccomp']);
    expect(gates({ mustNotBeRoot: true })).toEqual(['root', 'root']);
  });

  it('whose first thread’s filters are put on every thread give each one', async () => {
    const modes = async (...filters: readonly Buffer[]): Promise<readonly number[]> => {
      put('seccomp.img', imageOf('seccomp', message({ 1: filters })));
      return (await readImageFacts(directory)).threads.map(({ core }) => core.seccompMode);
    };
    const filter = Buffer.alloc(8);
    const [synced, alone] = [message({ 1: filter, 3: 1 }), message({ 1: filter, 3: 0 })];
    expect(await modes(synced)).toEqual([2, 2]);
    expect(await modes(alone)).toEqual([2, 0]);
    // The first thread names the filter in place 0; one before it that stays with it alone leaves the others with less.
    expect(await modes(message({ 1: filter, 2: 1, 3: 1 }), synced)).toEqual([2, 2]);
    expect(await modes(message({ 1: filter, 2: 1, 3: 1 }), alone)).toEqual([2, 0]);
    expect(await modes(message({ 1: filter, 2: 0, 3: 1 }))).toEqual([2, 0]);
    expect(await modes()).toEqual([2, 0]);
  });

  it('that none of our dumps has are named', async () => {
    for (const name of ['creds-1.img', 'tmpfs-dev-9.tar.gz.img', 'route-9.img', 'core-x.img']) {
      put(name, Buffer.alloc(0));
    }
    expect((await readImageFacts(directory)).unknownFiles).toEqual([
      ...['core-x.img', 'creds-1.img', 'route-9.img', 'tmpfs-dev-9.tar.gz.img'],
    ]);
  });

  it.each([['inventory.img'], ['pstree.img'], ['ids-1.img'], ['files.img']])(
    'without %s are refused',
    async (name) => {
      rmSync(join(directory, name));
      await expect(readImageFacts(directory)).rejects.toMatchObject({
        reason: 'ArtifactCorrupt',
        message: expect.stringContaining(name),
      });
    },
  );

  it.each([
    ['a field twice: CRIU would merge what is checked apart', { 5: [message({}), message({})] }],
    ['a number of which CRIU takes the low half', { 5: message({ 10: message({ 1: 2 ** 32 }) }) }],
  ])('with %s are refused', async (_, fields) => {
    put('core-42.img', imageOf('core', message(fields)));
    await expect(readImageFacts(directory)).rejects.toMatchObject({ reason: 'ArtifactCorrupt' });
  });

  it('with any byte changed or cut off are read or refused in words, and nothing else', async () => {
    const names = readdirSync(real);
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...names),
        fc.nat(),
        fc.integer({ min: -1, max: 255 }),
        async (name, place, byte) => {
          const image = readFileSync(join(real, name));
          const at = place % Math.max(1, image.byteLength);
          if (byte >= 0) image.writeUInt8(byte, at);
          put(name, byte < 0 ? image.subarray(0, at) : image);
          try {
            findRefusals(factsWith({ images: await readImageFacts(directory) }));
          } catch (error) {
            if (!(error instanceof Failure)) throw error;
            expect(error.reason).toBe('ArtifactCorrupt');
          } finally {
            put(name, readFileSync(join(real, name)));
          }
        },
      ),
      { numRuns: 300 },
    );
  });
});
