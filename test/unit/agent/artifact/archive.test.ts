import { execFileSync, spawnSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import * as fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Imported, importArchive } from '../../../../agent/artifact/import-archive.ts';
import { artifactArchive, blobFile } from '../../../../agent/artifact/oci-archive.ts';
import { type Artifact, readArtifact } from '../../../../agent/artifact/read.ts';
import { endOfArchive, padding } from '../../../../agent/artifact/tar-header.ts';
import { plainFile, plainHeader } from '../../../../agent/artifact/tar-writer.ts';
import { verifyArtifact } from '../../../../agent/artifact/verify.ts';
import { digestHex, digestOf } from '../../../../agent/store/digest.ts';
import type { SnapshotStore } from '../../../../agent/store/store.ts';
import { type MemoryStore, memoryStore } from '../../../support/memory-store.ts';
import { publishInto, somePages } from '../../../support/one-artifact.ts';

const { signal } = new AbortController();
const hasSkopeo = spawnSync('skopeo', ['--version']).status === 0;
const key = { namespace: 'default', contentUID: 'c0ffee' };
const nobody = (): void => undefined;

describe('an archive', () => {
  let base: string;
  let root: string;
  let source: SnapshotStore;
  let artifact: Artifact;
  let archive: Buffer;
  let target: MemoryStore;
  beforeAll(async () => {
    base = await mkdtemp(join(tmpdir(), 'archive-'));
    ({ store: source, root } = await publishInto(base, key, somePages()));
    artifact = await readArtifact(source, key, signal);
    archive = await buffer(artifactArchive(source, key, artifact, signal));
  });
  afterAll(() => rm(base, { recursive: true, force: true }));
  beforeEach(() => {
    target = memoryStore();
  });

  const load = (bytes: Buffer, store: SnapshotStore = target, again = true): Promise<Imported> => {
    const open = async function* (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.byteLength; at += 70_000) yield bytes.subarray(at, at + 70_000);
    };
    return importArchive(store, { open, again }, undefined, nobody, signal);
  };
  const file = (path: string, content: Uint8Array | string): Promise<Buffer> => {
    const bytes = Buffer.from(content);
    const once = (async function* () {
      yield bytes;
    })();
    return buffer(plainFile(path, 0o644, bytes.byteLength, once));
  };
  const refused = async (bytes: Buffer, message: RegExp): Promise<void> => {
    const refusal = { reason: 'ArtifactCorrupt', message: expect.stringMatching(message) };
    await expect(load(bytes)).rejects.toMatchObject(refusal);
    expect([target.blobs.size, target.references.size]).toEqual([0, 0]);
  };

  it('carries an artifact into another store, byte for byte, and is always the same', async () => {
    expect(await load(archive)).toMatchObject({ key, isNew: true });
    const copy = await verifyArtifact(target, key, signal);
    expect(copy.reference).toEqual({ ...artifact.reference, fence: 0 });
    expect(copy.config).toEqual(artifact.config);
    const again = await buffer(artifactArchive(target, key, copy, signal));
    expect(again.equals(archive)).toBe(true);
    expect(await load(archive)).toMatchObject({ key, isNew: false });
  });

  it('may have its files in any order, and others that nobody asked for', async () => {
    const directory = join(base, 'unpacked');
    await mkdir(directory);
    await writeFile(join(base, 'a.tar'), archive);
    execFileSync('tar', ['-xf', join(base, 'a.tar'), '-C', directory]);
    await writeFile(join(directory, 'README'), 'hello');
    const stray = Buffer.from('a blob that no manifest names');
    await writeFile(join(directory, blobFile(digestOf(stray))), stray);
    for (const format of ['gnu', 'posix', 'ustar']) {
      const path = join(base, `${format}.tar`);
      execFileSync('tar', [`--format=${format}`, '-C', directory, '-cf', path, '.']);
      target = memoryStore();
      await load(await readFile(path));
      await verifyArtifact(target, key, signal);
      expect(target.blobs.has(digestOf(stray))).toBe(false);
    }
  });

  it('is refused wherever it is cut, and leaves nothing', async () => {
    const boundary = archive.byteLength - endOfArchive.byteLength;
    for (const at of [0, 1, 511, 512, 2000, 5000, archive.byteLength >> 1, boundary]) {
      await refused(archive.subarray(0, at), /cut off/);
    }
  });

  it('is refused for any damaged byte of its blobs', async () => {
    const { layers } = artifact.manifest;
    for (const { digest } of [artifact.reference, artifact.manifest.config, ...layers]) {
      const damaged = Buffer.from(archive);
      const at = archive.indexOf(blobFile(digest)) + 512;
      damaged[at] = (damaged[at] ?? 0) ^ 1;
      await refused(damaged, new RegExp(digest));
    }
  });

  it('is refused, or is the very same artifact, with any single bit flipped', async () => {
    const flip = fc.record({
      // Most of the archive is memory; what it says of itself is at its ends.
      at: fc.oneof(
        fc.nat({ max: archive.byteLength - 1 }),
        fc.nat({ max: 8191 }),
        fc.nat({ max: 8191 }).map((fromEnd) => archive.byteLength - 1 - fromEnd),
      ),
      bit: fc.integer({ min: 0, max: 7 }),
    });
    await fc.assert(
      fc.asyncProperty(flip, async ({ at, bit }) => {
        const bytes = Buffer.from(archive);
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        target = memoryStore();
        try {
          expect((await load(bytes)).artifact.reference.digest).toBe(artifact.reference.digest);
        } catch (error) {
          expect(error).toMatchObject({ reason: 'ArtifactCorrupt' });
          expect([target.blobs.size, target.references.size]).toEqual([0, 0]);
          return;
        }
        await verifyArtifact(target, key, signal);
      }),
      { numRuns: 40 },
    );
  }, 60_000);

  it('is refused when it is no layout, or names what it lacks', async () => {
    const layout = await file('oci-layout', '{"imageLayoutVersion":"1.0.0"}');
    const { digest, size, mediaType } = artifact.reference;
    const indexOf = (...manifests: readonly object[]): Promise<Buffer> =>
      file('index.json', JSON.stringify({ schemaVersion: 2, manifests }));
    const one = { digest, size, mediaType };
    const tar = (...parts: readonly Buffer[]): Buffer => Buffer.concat([...parts, endOfArchive]);
    await refused(tar(), /no oci-layout/);
    await refused(tar(layout), /no index.json/);
    await refused(tar(await file('oci-layout', '{"imageLayoutVersion":"2"}')), /version/);
    await refused(tar(layout, await file('index.json', '{')), /not JSON/);
    await refused(tar(layout, await indexOf()), /exactly one/);
    await refused(tar(layout, await indexOf(one, one)), /exactly one/);
    await refused(tar(layout, await indexOf({ ...one, mediaType: 'x' })), /unknown type/);
    await refused(tar(layout, await indexOf({ ...one, digest: 'sha256:../x' })), /digest/);
    await refused(tar(layout, await indexOf(one)), /lacks blob/);
    await refused(tar(layout, await file('index.json', ' '.repeat(2 ** 21))), /too long/);
  });

  it('makes no file of its own names', async () => {
    for (const path of [
      'blobs/sha256/../../x',
      'blobs/sha256/',
      'blobs/sha256/AB',
      'blobs/sha256/x',
    ]) {
      await refused(Buffer.concat([await file(path, 'x'), endOfArchive]), /not named by a digest/);
    }
    for (const path of ['../../etc/x', '/etc/x', 'blobs/other/x']) {
      await refused(Buffer.concat([await file(path, 'x'), endOfArchive]), /no oci-layout/);
    }
    const link = plainHeader('index.json', '0', 0o644, 0);
    for (const type of ['1', '2', '3', '6']) {
      const header = Buffer.from(link);
      const sum = (header[156] ?? 0) - type.charCodeAt(0);
      header[156] = type.charCodeAt(0);
      const checksum = Number.parseInt(header.toString('latin1', 148, 154), 8) - sum;
      header.write(checksum.toString(8).padStart(6, '0'), 148, 'latin1');
      await refused(Buffer.concat([header, endOfArchive]), /no plain file/);
    }
    expect(padding(0)).toHaveLength(0);
  });

  it('never replaces another artifact of the same name', async () => {
    const other = { ...artifact.reference, digest: digestOf(Buffer.from('other')) };
    await target.putReference(key, other, signal);
    await expect(load(archive)).rejects.toMatchObject({ reason: 'ContentConflict' });
    expect(await target.getReference(key, signal)).toEqual(other);
  });

  it('brings again what a sweep took before its reference stood; from a pipe, it says so', async () => {
    const greedy: SnapshotStore = {
      ...target,
      putReference: async (...given) => {
        const written = await target.putReference(...given);
        target.blobs.clear();
        return written;
      },
    };
    const pipe = load(archive, greedy, false);
    await expect(pipe).rejects.toMatchObject({ kind: 'retry', message: /again/ });
    expect(target.references.size).toBe(0);
    await load(archive, greedy);
    await verifyArtifact(target, key, signal);
  });

  it('ends with the reason of a cancel, and leaves nothing', async () => {
    const cancel = new AbortController();
    const why = new Error('interrupted');
    const stop = (): void => {
      if (target.blobs.size === 3) cancel.abort(why);
    };
    const open = async function* (): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < archive.byteLength; at += 4096) yield archive.subarray(at, at + 4096);
    };
    const stopped = importArchive(target, { open, again: true }, undefined, stop, cancel.signal);
    await expect(stopped).rejects.toBe(why);
    expect([target.blobs.size, target.references.size]).toEqual([0, 0]);
  });

  it('breaks off in the middle where a blob of the store is damaged', async () => {
    await load(archive);
    const last = artifact.manifest.layers[1];
    if (last === undefined) throw new Error('no layers');
    target.blobs.set(last.digest, { bytes: Buffer.alloc(last.size), modifiedAtMilliseconds: 0 });
    const broken = buffer(artifactArchive(target, key, artifact, signal));
    await expect(broken).rejects.toMatchObject({ reason: 'ArtifactCorrupt' });
  });

  it.runIf(hasSkopeo)('is read by skopeo, and an archive that skopeo wrote is read', async () => {
    const skopeo = (...words: readonly string[]): string =>
      execFileSync('skopeo', ['--insecure-policy', ...words], { encoding: 'utf8' });
    const ours = join(base, 'ours.tar');
    await writeFile(ours, archive);
    const raw = skopeo('inspect', '--raw', `oci-archive:${ours}`);
    expect(digestOf(Buffer.from(raw))).toBe(artifact.reference.digest);
    const config: unknown = JSON.parse(
      skopeo('inspect', '--config', '--raw', `oci-archive:${ours}`),
    );
    expect(config).toEqual(artifact.config);

    const copied = join(base, 'copied.tar');
    const copy = ['copy', '--quiet', '--preserve-digests'];
    skopeo(...copy, `oci-archive:${ours}:c0ffee`, `oci-archive:${copied}`);
    const place = `oci:${join(root, 'snapshots/default/c0ffee')}:c0ffee`;
    const fromStore = join(base, 'from-store.tar');
    skopeo(
      ...copy,
      '--src-shared-blob-dir',
      join(root, 'blobs'),
      place,
      `oci-archive:${fromStore}`,
    );
    for (const path of [copied, fromStore]) {
      target = memoryStore();
      await load(await readFile(path));
      expect((await verifyArtifact(target, key, signal)).manifest).toEqual(artifact.manifest);
    }
    const blobs = await readdir(join(root, 'blobs/sha256'));
    expect(blobs).toContain(digestHex(artifact.reference.digest));
  });
});
