import { createReadStream } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { writeLayerFile } from '../../../../agent/artifact/layer-file.ts';
import { layerIndex } from '../../../../agent/artifact/layer-index.ts';
import type { BlobSource } from '../../../../agent/artifact/read.ts';
import { endOfArchive } from '../../../../agent/artifact/tar-header.ts';
import { plainFile } from '../../../../agent/artifact/tar-writer.ts';

const { signal } = new AbortController();

describe('the index of a layer', () => {
  let base: string;
  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'layer-index-'));
    await mkdir(join(base, 'blobs'));
  });
  afterAll(() => rm(base, { recursive: true, force: true }));

  /** The index of a tar with these files. */
  async function indexOf(files: Readonly<Record<string, string>>, kind: 'rootfs' | 'volume') {
    const path = join(base, 'blobs', String(Math.random()));
    const tar = async function* (): AsyncGenerator<Buffer> {
      for (const [name, text] of Object.entries(files)) {
        const bytes = Buffer.from(text);
        yield* plainFile(name, 0o640, bytes.byteLength, Readable.from([bytes]));
      }
      yield endOfArchive;
    };
    const blob = await writeLayerFile(path, tar(), () => undefined, signal);
    const source: BlobSource = {
      statBlob: async () => blob.storedBytes,
      getBlob: async () => createReadStream(path),
    };
    return await layerIndex(source, blob, kind, signal);
  }

  it('has every file by its path with size, mode and the digest of its content', async () => {
    const index = await indexOf({ './etc/a': 'hello', 'etc/b': 'hello' }, 'volume');
    expect([...index.keys()]).toEqual(['etc/a', 'etc/b']);
    expect(index.get('etc/a')).toMatchObject({
      ...{ type: 'file', sizeBytes: 5, mode: 0o640 },
      digest: 'sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824',
    });
    expect(index.get('etc/b')?.digest).toBe(index.get('etc/a')?.digest);
  });

  it('tells of a writable layer what it deletes, and of a volume only names', async () => {
    const files = { 'etc/.wh.gone': '', 'data/.wh..wh..opq': '' };
    const types = [...(await indexOf(files, 'rootfs'))].map(([path, { type }]) => [path, type]);
    expect(types).toEqual([
      ['etc/gone', 'deleted'],
      ['data/*', 'opaque'],
    ]);
    expect([...(await indexOf(files, 'volume')).keys()]).toEqual(Object.keys(files));
  });
});
