import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeLayerFile } from '../../../../agent/artifact/layer-file.ts';

const signal = new AbortController().signal;

describe('a compressed layer', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'layer-file-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const content = Buffer.concat([Buffer.from('text '.repeat(400_000)), randomBytes(300_000)]);
  async function* pieces(size: number, wait: (at: number) => boolean): AsyncGenerator<Buffer> {
    for (let at = 0; at < content.byteLength; at += size) {
      if (wait(at)) await new Promise(setImmediate);
      yield content.subarray(at, at + size);
    }
  }

  it('has the same bytes however its tar arrives', async () => {
    const digests = new Set<string>();
    const sizes = [333_333, 2 ** 20, 4_000_000, 70_001];
    for (let run = 0; run < 24; run += 1) {
      const tar = pieces(sizes[run % sizes.length] ?? 1, (at) => (at + run) % 3 === 0);
      const blob = await writeLayerFile(join(directory, `${run}`), tar, () => undefined, signal);
      expect(blob.sizeBytes).toBe(content.byteLength);
      digests.add(blob.digest);
    }
    expect(digests.size).toBe(1);
    expect(zstdDecompressSync(await readFile(join(directory, '0'))).equals(content)).toBe(true);
  });

  it('ends with the error of its tar, and with the reason of a cancel', async () => {
    const broken = async function* (): AsyncGenerator<Buffer> {
      yield content;
      throw new Error('unreadable');
    };
    const failed = writeLayerFile(join(directory, 'a'), broken(), () => undefined, signal);
    await expect(failed).rejects.toThrow('unreadable');
    const stop = new AbortController();
    let closed = false;
    const endless = async function* (): AsyncGenerator<Buffer> {
      try {
        for (;;) yield content;
      } finally {
        closed = true;
      }
    };
    const cancelled = writeLayerFile(
      join(directory, 'b'),
      endless(),
      () => stop.abort(new Error('cancelled')),
      stop.signal,
    );
    await expect(cancelled).rejects.toMatchObject({ name: 'AbortError' });
    expect(closed).toBe(true);
  });

  it('does not write over a file', async () => {
    await (await open(join(directory, 'taken'), 'w')).close();
    const refused = writeLayerFile(
      join(directory, 'taken'),
      pieces(2 ** 20, () => false),
      () => undefined,
      signal,
    );
    await expect(refused).rejects.toMatchObject({ code: 'EEXIST' });
  });
});
