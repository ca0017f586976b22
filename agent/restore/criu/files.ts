import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Failure } from '../../../core/failure.ts';
import { corruptArtifact } from '../../artifact/config.ts';
import { readTar } from '../../artifact/tar-reader.ts';

const whiteout = '.wh.';
const opaqueMark = '.wh..wh..opq';

/**
 * Writes the deletions of an OCI layer as images/enter/remove reads them, and returns how many there are. Names are bytes: they go into the file
 * as they stand in the archive. Throws ArtifactCorrupt for a path that leads out of the root.
 */
export async function writeDeletions(layerTar: string, file: string): Promise<number> {
  await using list = await open(file, 'wx', 0o600);
  let count = 0;
  for await (const entry of readTar(createReadStream(layerTar), corruptArtifact)) {
    const parts = entry.path.split('/').filter((part) => part !== '' && part !== '.');
    if (entry.path.startsWith('/') || parts.includes('..')) {
      throw corruptArtifact(`a path of its writable layer leads out of the root`);
    }
    const name = parts.pop() ?? '';
    if (!name.startsWith(whiteout)) continue;
    const path = name === opaqueMark ? [...parts, ''] : [...parts, name.slice(whiteout.length)];
    await list.writeFile(Buffer.from(`${path.join('/')}\0`, 'latin1'));
    count += 1;
  }
  return count;
}

const common = (directory: string): readonly string[] => [
  '--extract',
  '--file=-',
  `--directory=${directory}`,
  '--numeric-owner',
  '--same-owner',
  '--same-permissions',
  '--xattrs',
  '--xattrs-include=*',
  '--anchored',
  '--no-wildcards',
];

/**
 * GNU tar's words, without the program's name, that put a writable layer from stdin over the root. A path that is a mount point is left alone:
 * tar unlinks before it writes, and unlinking a mount point from another mount namespace detaches the mount.
 */
export const layerArguments = (mountPoints: readonly string[]): readonly string[] => [
  ...common('/'),
  ...mountPoints.filter((path) => path !== '/').map((path) => `--exclude=.${path}`),
  '--no-anchored',
  '--wildcards',
  `--exclude=${whiteout}*`,
];

/** The same for a volume, or for the part of it that `subPath` names, into the directory where that is mounted. */
export function volumeArguments(directory: string, subPath: string): readonly string[] {
  const parts = subPath.split('/').filter((part) => part !== '');
  if (parts.length === 0) return common(directory);
  // The archive's names begin with `./`, which is a component, too.
  const strip = `--strip-components=${parts.length + 1}`;
  return [...common(directory), strip, `./${parts.join('/')}`];
}

/** The failure of a step that puts files into the placeholder. */
export const filesFailure = (what: string, why: string): Failure =>
  new Failure('terminal', 'RestoreFailed', `${what} could not be put into the placeholder: ${why}`);
