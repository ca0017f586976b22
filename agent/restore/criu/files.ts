import { createReadStream, type Stats } from 'node:fs';
import { open } from 'node:fs/promises';
import { Failure } from '../../../core/failure.ts';
import { corruptArtifact } from '../../artifact/config.ts';
import { readTar } from '../../artifact/tar-reader.ts';

const whiteout = '.wh.';
const opaqueMark = '.wh..wh..opq';

/** What an OCI layer does to a root. */
export type LayerContents = {
  readonly deletions: number;
  /** Whether it holds anything else, but for the root directory as it is described by `root`. */
  readonly changes: boolean;
};

/**
 * Writes the deletions of an OCI layer as images/enter/remove reads them. Names are bytes: they go into the file as they stand in the archive. Throws
 * ArtifactCorrupt for a path that leads out of the root.
 */
export async function readLayer(
  layerTar: string,
  deletionsFile: string,
  root: Pick<Stats, 'mode' | 'uid' | 'gid'>,
): Promise<LayerContents> {
  await using list = await open(deletionsFile, 'wx', 0o600);
  let deletions = 0;
  let changes = false;
  for await (const { path: entryPath, header, pax } of readTar(
    createReadStream(layerTar),
    corruptArtifact,
  )) {
    const parts = entryPath.split('/').filter((part) => part !== '' && part !== '.');
    if (entryPath.startsWith('/') || parts.includes('..')) {
      throw corruptArtifact(`a path of its writable layer leads out of the root`);
    }
    const name = parts.pop();
    if (name === undefined) {
      const { mode, uid, gid } = root;
      const same = header.uid === uid && header.gid === gid && header.mode === (mode & 0o7777);
      changes ||= !same || [...pax.keys()].some((key) => !/^[amc]time$/.test(key));
      continue;
    }
    if (!name.startsWith(whiteout)) {
      changes = true;
      continue;
    }
    const path = name === opaqueMark ? [...parts, ''] : [...parts, name.slice(whiteout.length)];
    await list.writeFile(Buffer.from(`${path.join('/')}\0`, 'latin1'));
    deletions += 1;
  }
  return { deletions, changes };
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
