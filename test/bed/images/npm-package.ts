import { createHash } from 'node:crypto';
import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { npmPackage } from './versions.ts';

/** Puts npm's own package into `directory`/npm. Throws when the registry serves other bytes than the pinned ones. */
export async function unpackNpm(directory: string): Promise<void> {
  const spec = `npm@${npmPackage.version}`;
  await execa('npm', ['pack', spec, '--pack-destination', directory], { cwd: directory });
  const archive = join(directory, `npm-${npmPackage.version}.tgz`);
  const actual = `sha512-${createHash('sha512')
    .update(await readFile(archive))
    .digest('base64')}`;
  if (actual !== npmPackage.integrity) {
    throw new Error(`${spec} has integrity ${actual}, expected ${npmPackage.integrity}`);
  }
  const target = join(directory, 'npm');
  await mkdir(target);
  await execa('tar', ['-xzf', archive, '-C', target, '--strip-components=1', '--no-same-owner']);
}
