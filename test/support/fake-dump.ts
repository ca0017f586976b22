import { execFileSync } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ArtifactFacts } from '../../agent/artifact/config.ts';
import type { DumpResult } from '../../agent/capture/backend.ts';

/** What GNU tar is asked for inside the freeze. */
export const captureTarOptions = [
  '--format=posix',
  '--xattrs',
  '--xattrs-include=*',
  '--sparse',
  '--numeric-owner',
] as const;

/** Tars a directory as the capture does. */
export function tarDirectory(directory: string, tar: string): void {
  execFileSync('tar', [...captureTarOptions, '-C', directory, '-cf', tar, '.'], {
    env: { PATH: process.env.PATH, LC_ALL: 'C' },
  });
}

/** Facts of a made-up pod. */
export const someFacts: ArtifactFacts = {
  contentUID: 'c0ffee',
  snapshot: { namespace: 'default', name: 'snap', uid: 's-1' },
  pod: { namespace: 'default', name: 'pod', uid: 'p-1' },
  node: { name: 'node-a', architecture: 'amd64' },
  network: { hostname: 'pod', podIPs: ['10.0.0.7'] },
  options: { afterCapture: 'Resume', tcp: 'Close' },
  containers: [
    { name: 'main', image: 'counter:1', imageID: 'sha256:1', limits: { memory: '1Gi' } },
  ],
};

/** A staging directory as a finished dump leaves it, with the pages files given and a small writable layer and /dev/shm. */
export async function makeDump(
  staging: string,
  pages: Readonly<Record<string, Uint8Array>>,
): Promise<DumpResult> {
  const images = join(staging, 'images');
  await mkdir(images, { recursive: true });
  const files: Readonly<Record<string, Uint8Array | string>> = {
    ...pages,
    'inventory.img': 'inventory',
    'core-1.img': Buffer.alloc(1000, 7),
    'empty-2.img': '',
    'dump.log': 'not part of the artifact',
    'stats-dump': 'neither',
  };
  for (const [name, content] of Object.entries(files)) await writeFile(join(images, name), content);
  for (const [tar, text] of [
    ['rootfs.tar', 'written by the container'],
    ['shm.tar', 'shared memory'],
  ] as const) {
    const tree = join(staging, `${tar}.d`);
    await mkdir(tree);
    await writeFile(join(tree, 'file'), text);
    tarDirectory(tree, join(staging, tar));
  }
  return {
    freezeMilliseconds: 12.5,
    containers: [
      {
        name: 'main',
        freezeMilliseconds: 12.5,
        frozenAt: '2026-01-01T00:00:00Z',
        imagesDirectory: 'images',
        rootfsTar: 'rootfs.tar',
        mounts: [
          { path: '/', treatment: 'rootfs' },
          { path: '/dev/shm', treatment: 'volume', volume: 'dev-shm' },
        ],
        stdio: ['/dev/null', 'pipe:[1]', 'pipe:[2]'],
        options: ['--leave-running'],
      },
    ],
    volumeTars: [{ name: 'dev-shm', path: 'shm.tar' }],
    criuVersion: '4.1',
  };
}
