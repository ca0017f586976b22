import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { run } from '../../bed/command.ts';
import { ociArchive } from '../../bed/oci-archive.ts';
import { tarArchive } from '../../bed/tar.ts';

async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'cryopod-archive-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

test('a tar archive is read by tar with content, modes and links', async () => {
  await withFolder(async (folder) => {
    const path = join(folder, 'a.tar');
    const data = Buffer.from('x'.repeat(700));
    await writeFile(
      path,
      tarArchive([
        { kind: 'folder', path: 'bin', mode: 0o755 },
        { kind: 'file', path: 'bin/tool', mode: 0o750, data },
        { kind: 'link', path: 'bin/other', target: 'tool' },
      ]),
    );
    await run(['tar', '-C', folder, '-xf', path]);
    expect(await readFile(join(folder, 'bin/other'))).toEqual(data);
    const listing = await run(['tar', '-tvf', path]);
    expect(listing).toContain('-rwxr-x--- 0/0');
    expect(listing).toContain('bin/other -> tool');
  });
});

test('a path that does not fit the header is refused, not cut', () => {
  expect(() => tarArchive([{ kind: 'folder', path: 'x'.repeat(101), mode: 0o755 }])).toThrow(
    'too long',
  );
});

test('an image archive names every blob by its digest', async () => {
  await withFolder(async (folder) => {
    const layer = tarArchive([{ kind: 'folder', path: 'etc', mode: 0o755 }]);
    const image = { name: 'a.example/b:c', architecture: 'amd64', command: ['x'], layer } as const;
    const archive = ociArchive(image);
    expect(ociArchive(image)).toEqual(archive);
    await writeFile(join(folder, 'image.tar'), archive);
    await run(['tar', '-C', folder, '-xf', join(folder, 'image.tar')]);
    const blobs = join(folder, 'blobs/sha256');
    const names = (await run(['ls', blobs])).trim().split('\n');
    expect(names).toHaveLength(3);
    for (const name of names) {
      expect(await run(['sha256sum', join(blobs, name)])).toMatch(new RegExp(`^${name} `));
    }
  });
});
