import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import * as fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chunkBytes, decodeChunk, encodeChunk } from '../../../../agent/artifact/chunk.ts';
import type { ArtifactConfig } from '../../../../agent/artifact/config.ts';
import { extractArtifact } from '../../../../agent/artifact/extract.ts';
import { layersOf, manifestOf } from '../../../../agent/artifact/manifest.ts';
import { mediaTypes } from '../../../../agent/artifact/media-types.ts';
import { endOfArchive } from '../../../../agent/artifact/tar-header.ts';
import { plainHeader } from '../../../../agent/artifact/tar-writer.ts';
import { verifyArtifact } from '../../../../agent/artifact/verify.ts';
import { digestOf } from '../../../../agent/store/digest.ts';
import type { Digest } from '../../../../agent/store/store.ts';
import { someFacts } from '../../../support/fake-dump.ts';
import { type MemoryStore, memoryStore } from '../../../support/memory-store.ts';

const signal = new AbortController().signal;
const key = { namespace: 'default', contentUID: 'c0ffee' };
type Container = ArtifactConfig['containers'][number];

describe('an artifact written by an enemy', () => {
  let directory: string;
  let store: MemoryStore;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'hostile-'));
    store = memoryStore();
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const put = async (bytes: Uint8Array): Promise<Digest> => {
    await store.putBlob(digestOf(bytes), bytes.byteLength, bytes, signal);
    return digestOf(bytes);
  };
  const tarBlob = async (tar: Buffer, sizeBytes = tar.byteLength) => {
    const pressed = zstdCompressSync(tar);
    return { digest: await put(pressed), sizeBytes, storedBytes: pressed.byteLength };
  };
  const containerOf = async (over: Partial<Container>): Promise<Container> => ({
    ...{ name: 'main', image: 'counter:1', imageID: 'sha256:1', limits: {} },
    frozenAt: '',
    freezeMilliseconds: 1,
    criuVersion: '4.1',
    criuOptions: [],
    stdio: [],
    mounts: [],
    criu: await tarBlob(endOfArchive),
    memory: [],
    rootfs: await tarBlob(endOfArchive),
    volumes: [],
    ...over,
  });
  const configOf = (container: Container): ArtifactConfig => {
    const { containers: _, ...facts } = someFacts;
    const totals = { sizeBytes: 0, storedBytes: 0 };
    return { formatVersion: 1, ...facts, containers: [container], totals };
  };
  /** Publishes documents as they are, with right digests. */
  const publish = async (config: unknown, manifest?: (right: object) => object): Promise<void> => {
    const bytes = Buffer.from(JSON.stringify(config));
    const right = {
      ...manifestOf(configOf(await containerOf({})), {
        digest: await put(bytes),
        size: bytes.byteLength,
      }),
      layers: layersFor(config),
    };
    const document = Buffer.from(JSON.stringify(manifest === undefined ? right : manifest(right)));
    const digest = await put(document);
    const reference = {
      digest,
      size: document.byteLength,
      mediaType: mediaTypes.manifest,
      fence: 0,
    };
    await store.putReference(key, reference, signal);
  };
  const isConfig = (config: unknown): config is ArtifactConfig =>
    typeof config === 'object' && config !== null && 'containers' in config;
  const layersFor = (config: unknown) => (isConfig(config) ? layersOf(config.containers) : []);
  const expectRefusal = async (message: RegExp): Promise<void> => {
    const refusal = { reason: 'ArtifactCorrupt', message: expect.stringMatching(message) };
    const out = join(directory, 'out');
    await expect(extractArtifact(store, key, out, signal)).rejects.toMatchObject(refusal);
    expect(await readdir(directory)).toEqual([]);
  };

  it('is accepted when it is harmless', async () => {
    await publish(configOf(await containerOf({})));
    await verifyArtifact(store, key, signal);
    await extractArtifact(store, key, join(directory, 'out'), signal);
  });

  it('may not be of another version', async () => {
    await publish({ ...configOf(await containerOf({})), formatVersion: 2 });
    await expectRefusal(/format version 2 is unknown/);
  });

  it('may not name files elsewhere', async () => {
    for (const file of ['../pages-1.img', '/etc/passwd', 'pages-1.img/../x', 'core-1.img']) {
      store.references.clear();
      const memory = [{ file, sizeBytes: 0, chunkBytes, chunks: [] }];
      await publish(configOf(await containerOf({ memory })));
      await expectRefusal(/pages-/);
    }
    for (const name of ['..', 'a/b', '../../x', '']) {
      store.references.clear();
      const volumes = [{ name, ...(await tarBlob(endOfArchive)) }];
      await publish(configOf(await containerOf({ volumes })));
      await expectRefusal(/volumes/);
    }
  });

  it('may not say two things of one volume', async () => {
    const [one, other] = [await tarBlob(endOfArchive), await tarBlob(Buffer.alloc(4096))];
    const volumesOfTwo = async (blob: typeof one): Promise<ArtifactConfig> => {
      const first = await containerOf({ volumes: [{ name: 'data', ...one }] });
      const second = await containerOf({ name: 'side', volumes: [{ name: 'data', ...blob }] });
      return { ...configOf(first), containers: [first, second] };
    };
    await publish(await volumesOfTwo(other));
    await expectRefusal(/the same in both/);
    store.references.clear();
    await publish(await volumesOfTwo(one));
    await extractArtifact(store, key, join(directory, 'out'), signal);
  });

  it('may not bring other files among the images', async () => {
    const evil = ['../../x.img', '/x.img', 'a/b.img', 'pages-1.img', 'x.sh', '.img', 'x\n.img'];
    for (const path of evil) {
      store.references.clear();
      const tar = Buffer.concat([plainHeader(path, '0', 0o600, 0), endOfArchive]);
      await publish(configOf(await containerOf({ criu: await tarBlob(tar) })));
      await expectRefusal(/is no CRIU image/);
    }
    store.references.clear();
    const folder = Buffer.concat([plainHeader('x.img', '5', 0o700, 0), endOfArchive]);
    await publish(configOf(await containerOf({ criu: await tarBlob(folder) })));
    await expectRefusal(/is no CRIU image/);
  });

  it('may not unpack to more or less than it says', async () => {
    const bomb = Buffer.alloc(20 * 2 ** 20);
    for (const rootfs of [await tarBlob(bomb, 1000), await tarBlob(endOfArchive, 4096)]) {
      store.references.clear();
      await publish(configOf(await containerOf({ rootfs })));
      await expectRefusal(/holds/);
    }
    const pressed = zstdCompressSync(bomb);
    const digest = await put(pressed);
    const chunk = {
      encoding: 'zstd',
      sizeBytes: 50,
      digest,
      storedBytes: pressed.byteLength,
    } as const;
    store.references.clear();
    const memory = [{ file: 'pages-1.img', sizeBytes: 50, chunkBytes, chunks: [chunk] }];
    await publish(configOf(await containerOf({ memory })));
    await expectRefusal(/cannot be decompressed to 50 bytes/);
  });

  it('may not have chunks that do not add up', async () => {
    const zero = { encoding: 'zero', sizeBytes: 10 } as const;
    for (const chunks of [[], [zero, zero], [{ ...zero, sizeBytes: 9 }]]) {
      store.references.clear();
      const memory = [{ file: 'pages-1.img', sizeBytes: 10, chunkBytes, chunks }];
      await publish(configOf(await containerOf({ memory })));
      await expectRefusal(/do not add up/);
    }
  });

  it('may not list layers of types or digests that its config does not know', async () => {
    const config = configOf(await containerOf({}));
    const [first, ...rest] = layersOf(config.containers);
    const lies: readonly (readonly unknown[])[] = [
      rest,
      [{ ...first, mediaType: 'application/x-unknown' }, ...rest],
      [{ ...first, size: 1 }, ...rest],
      [{ ...first, digest: 'sha256:../../../etc/passwd' }, ...rest],
    ];
    for (const layers of lies) {
      store.references.clear();
      await publish(config, (right) => ({ ...right, layers }));
      await expectRefusal(/different layers|manifest/);
    }
    for (const change of [{ artifactType: 'x' }, { schemaVersion: 1 }, { config: undefined }]) {
      store.references.clear();
      await publish(config, (right) => ({ ...right, ...change }));
      await expectRefusal(/manifest/);
    }
  });

  it('may not make the reader hold more than it announced', async () => {
    await publish(configOf(await containerOf({})));
    const found = [...store.references.values()][0];
    if (found === undefined) throw new Error('no reference');
    for (const size of [1, 2 ** 40]) {
      store.references.set('default/c0ffee', { key, reference: { ...found.reference, size } });
      await expectRefusal(/bytes/);
    }
  });
});

describe('a chunk of memory', () => {
  it('comes back as it was, whatever is in it', async () => {
    const page = fc.oneof(
      fc.constant(Buffer.alloc(128)),
      fc.uint8Array({ minLength: 128, maxLength: 128 }).map((bytes) => Buffer.from(bytes)),
      fc.string({ minLength: 1, maxLength: 20 }).map((text) => Buffer.alloc(128, text)),
    );
    const raw = fc
      .array(page, { minLength: 1, maxLength: 30 })
      .map((pages) => Buffer.concat(pages));
    await fc.assert(
      fc.asyncProperty(raw, async (memory) => {
        const encoded = await encodeChunk(memory);
        if (!('bytes' in encoded)) {
          expect(memory.every((byte) => byte === 0)).toBe(true);
          return;
        }
        const { chunk, digest, bytes } = encoded;
        expect(bytes.byteLength).toBeLessThanOrEqual(memory.byteLength);
        const decoded = await decodeChunk(chunk, digest, Buffer.from(bytes));
        expect(decoded.equals(memory)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});
