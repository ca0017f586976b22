import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { directoryStaging, hasFiles } from '../../../../agent/order/staging.ts';

const noted = [
  { path: 'criu/pages-1.img', sizeBytes: 4096 },
  { path: 'rootfs.tar', sizeBytes: 10_240 },
];

describe('staging after a restart', () => {
  it('is whole when every noted file has its size', () => {
    expect(hasFiles(noted, noted)).toBe(true);
  });

  it('is whole with the working files of a publish that was cut short beside it', () => {
    expect(hasFiles(noted, [...noted, { path: 'publish/blobs', sizeBytes: 71 }])).toBe(true);
  });

  it.each([
    ['a file is missing', noted.slice(1)],
    ['a file is shorter', [{ path: 'criu/pages-1.img', sizeBytes: 5 }, ...noted.slice(1)]],
  ])('is not whole when %s', (_how, found) => {
    expect(hasFiles(noted, found)).toBe(false);
  });

  it('is not whole when nothing was noted', () => {
    expect(hasFiles(undefined, noted)).toBe(false);
  });
});

it('a staging directory keeps a note; one that was left without, or is none, has nothing to say', async () => {
  const root = await mkdtemp(join(tmpdir(), 'staging-'));
  try {
    const staging = directoryStaging(root);
    const path = staging.pathOf('uid', 1);
    await staging.create(path);
    expect(await staging.noted(path)).toBeUndefined();
    await staging.note(path, 'remember');
    expect(await staging.noted(path)).toBe('remember');
    await staging.create(path);
    expect(await staging.noted(path)).toBeUndefined();
    await writeFile(join(root, 'no-directory'), '');
    expect(await staging.noted(join(root, 'no-directory'))).toBeUndefined();
    await expect(staging.note('/elsewhere', '')).rejects.toThrow('not a staging directory');
  } finally {
    await rm(root, { recursive: true, force: true });
  }
});
