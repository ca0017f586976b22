import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { corruptArtifact } from '../../../../agent/artifact/config.ts';
import {
  blockBytes,
  endOfArchive,
  parseTarHeader,
  tarHeaderBlock,
} from '../../../../agent/artifact/tar-header.ts';
import { parsePax, paxBlocks } from '../../../../agent/artifact/tar-pax.ts';
import { readTar } from '../../../../agent/artifact/tar-reader.ts';
import { plainFile } from '../../../../agent/artifact/tar-writer.ts';

const byteString = fc
  .uint8Array({ minLength: 1, maxLength: 300 })
  .map((bytes) => Buffer.from(bytes).toString('latin1'));

async function* once(...pieces: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* pieces;
}

describe('pax records', () => {
  it('come back as they were, of any bytes', async () => {
    const key = byteString.filter((text) => !text.includes('='));
    await fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(key, byteString), { minLength: 1, selector: ([k]) => k }),
        (pairs) => {
          const blocks = paxBlocks(new Map(pairs));
          const size = parseTarHeader(blocks.subarray(0, blockBytes))?.sizeBytes ?? 0;
          const records = parsePax(blocks.subarray(blockBytes, blockBytes + size));
          expect([...(records ?? [])]).toEqual(pairs);
        },
      ),
    );
  });

  it('are refused when malformed', () => {
    for (const text of [
      'x',
      '5 a=b',
      '99 a=b\n',
      '0 a=b\n',
      '6 ab\n\n',
      '-6 a=b\n',
      '6  a=b\n x',
    ]) {
      expect(parsePax(Buffer.from(text)), text).toBeUndefined();
    }
  });
});

describe('a tar header', () => {
  const header = {
    name: 'a',
    mode: 0o755,
    uid: 7,
    gid: 8,
    sizeBytes: 8 ** 11 - 1,
    mtimeSeconds: 1_700_000_000,
    type: '0',
    linkName: '',
    deviceMajor: 0,
    deviceMinor: 0,
  };

  it('comes back as it was', () => {
    expect(parseTarHeader(tarHeaderBlock(header))).toEqual(header);
  });

  it('is refused when any bit of it is wrong', () => {
    const good = tarHeaderBlock(header);
    for (let bit = 0; bit < blockBytes * 8; bit += 1) {
      const bad = Buffer.from(good);
      bad[bit >> 3] = (bad[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      // Within the checksum some bits say nothing: how it is filled up and ended.
      const allowed = bit >> 3 >= 148 && bit >> 3 < 156 ? [undefined, header] : [undefined];
      expect(allowed, `bit ${bit}`).toContainEqual(parseTarHeader(bad));
    }
  });
});

describe('the tar reader', () => {
  it('reads what GNU tar wrote, whatever is read of the bodies', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tar-'));
    await writeFile(join(directory, 'a'), 'a'.repeat(10_000));
    await writeFile(join(directory, 'b'), 'b'.repeat(513));
    const tar = join(directory, 'x.tar');
    execFileSync('tar', ['--format=posix', '-C', directory, '-cf', tar, 'a', 'b', 'a']);
    const seen: string[] = [];
    for await (const { path, body } of readTar(createReadStream(tar), corruptArtifact)) {
      seen.push(path);
      if (path === 'a') for await (const _ of body) break;
    }
    expect(seen).toEqual(['a', 'b', 'a']);
    await rm(directory, { recursive: true });
  });

  it('refuses entries it does not know, and headers that belong to nothing', async () => {
    const block = (type: string): Buffer =>
      tarHeaderBlock({
        name: 'a',
        mode: 0,
        uid: 0,
        gid: 0,
        sizeBytes: 0,
        mtimeSeconds: 0,
        type,
        linkName: '',
        deviceMajor: 0,
        deviceMinor: 0,
      });
    const orphan = paxBlocks(new Map([['path', 'x']]));
    const huge = Buffer.from(
      tarHeaderBlock({ ...(parseTarHeader(block('x')) ?? fail()), sizeBytes: 2 ** 31 }),
    );
    for (const bad of [block('g'), block('L'), block('S'), orphan, huge, Buffer.alloc(512, 1)]) {
      const entries = readTar(once(bad, endOfArchive), corruptArtifact);
      await expect(entries.next()).rejects.toMatchObject({ reason: 'ArtifactCorrupt' });
    }
  });
});

const fail = (): never => {
  throw new Error('no header');
};

describe('the tar writer', () => {
  it('writes what GNU tar reads', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'tar-'));
    const tar = join(directory, 'x.tar');
    const name = `${'long/'.repeat(40)}name`;
    await writeFile(
      tar,
      (async function* () {
        yield* plainFile(name, 0o600, 3, once(Buffer.from('abc')));
        yield endOfArchive;
      })(),
    );
    expect(execFileSync('tar', ['-tf', tar], { encoding: 'utf8' })).toBe(`${name}\n`);
    expect(execFileSync('tar', ['-xOf', tar, name], { encoding: 'utf8' })).toBe('abc');
    await rm(directory, { recursive: true });
  });

  it('does not write a file that changed its size', async () => {
    const write = async (): Promise<void> => {
      for await (const _ of plainFile('a', 0, 4, once(Buffer.from('abc'))));
    };
    await expect(write()).rejects.toThrow('3 bytes instead of 4');
  });
});
