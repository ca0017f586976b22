import { errorCode } from '../error-code.ts';
import {
  type ConfinedDirectory,
  makeDirectory,
  openDirectory,
  openRoot,
} from './confined-directory.ts';

/*
 * store-id                                a UUID
 * blobs/sha256/<hex>                      what artifacts are made of; shared
 * snapshots/<namespace>/<UID>.json        references, the commit points
 * snapshots/<namespace>/<UID>/            oci-layout and index.json of that snapshot
 * tmp/  trash/                            files being written, blobs about to be deleted
 */
export const blobPath = ['blobs', 'sha256'] as const;
export const temporaryPath = ['tmp'] as const;
export const trashPath = ['trash'] as const;
export const referencesPath = ['snapshots'] as const;

/** Opens a directory below the store's root, each component confined, creating what is missing. The root itself is never created: where it is missing, a volume is not mounted. */
export const makeBelow = (root: string, path: readonly string[]): Promise<ConfinedDirectory> =>
  walk(root, path, makeDirectory);

/** Opens a directory below the store's root; undefined where it does not exist. A missing root is an error. */
export async function openBelow(
  root: string,
  path: readonly string[],
): Promise<ConfinedDirectory | undefined> {
  let rootFound = false;
  try {
    return await walk(root, path, (parent, name) => {
      rootFound = true;
      return openDirectory(parent, name);
    });
  } catch (error) {
    if (rootFound && errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

async function walk(
  root: string,
  path: readonly string[],
  step: (parent: ConfinedDirectory, name: string) => Promise<ConfinedDirectory>,
): Promise<ConfinedDirectory> {
  let at = await openRoot(root);
  for (const name of path) {
    await using parent = at;
    at = await step(parent, name);
  }
  return at;
}
