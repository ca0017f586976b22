import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, open, readFile, rm, statfs } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { writeBytes } from '../../../../agent/store/dir/write-bytes.ts';
import { pageAlignedBuffer } from '../../../../agent/store/page-aligned.ts';

const mebibyte = 2 ** 20;
/** Type of a file system that is nothing but page cache. */
const tmpfs = 0x0102_1994;

function aligned(bytes: number): Buffer {
  const buffer = Buffer.from(pageAlignedBuffer(bytes), 0, bytes);
  randomBytes(bytes).copy(buffer);
  return buffer;
}

const cases: readonly (readonly [string, () => Uint8Array])[] = [
  ['nothing', () => new Uint8Array()],
  ['a few bytes', () => aligned(777)],
  ['one chunk', () => aligned(4 * mebibyte)],
  ['a chunk that ends inside a block', () => aligned(mebibyte + 4097)],
  ['memory that begins inside a page', () => aligned(4 * mebibyte).subarray(5)],
  ['memory like any other', () => randomBytes(2 * mebibyte)],
];

describe.each([tmpdir(), '/dev/shm'])('bytes written in %s', (base) => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(base, 'write-bytes-'));
  });
  afterEach(() => rm(directory, { recursive: true, force: true }));

  const written = async (bytes: Uint8Array): Promise<string> => {
    const path = join(directory, 'file');
    await using file = await open(path, 'wx', 0o600);
    await writeBytes(file, bytes);
    await file.datasync();
    return path;
  };

  it.each(cases)('are all there: %s', async (_, make) => {
    const bytes = make();
    const path = await written(bytes);
    expect((await readFile(path)).equals(bytes)).toBe(true);
  });

  it('leave no copy of a chunk in the page cache, where there is anything behind it', async () => {
    const path = await written(aligned(4 * mebibyte));
    const cached = Number(execFileSync('fincore', ['-nbo', 'RES', path], { encoding: 'utf8' }));
    const { type } = await statfs(directory);
    expect(cached).toBe(type === tmpfs ? 4 * mebibyte : 0);
  });
});
