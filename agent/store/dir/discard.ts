import { link, lstat, readdir, rename } from 'node:fs/promises';
import { digestHex, isDigest } from '../digest.ts';
import { errorCode } from '../error-code.ts';
import type { Digest } from '../store.ts';
import type { ConfinedDirectory } from './confined-directory.ts';
import { removeIfThere } from './durable-file.ts';
import { blobPath, makeBelow, trashPath } from './layout.ts';

/**
 * Deletes unnamed blobs: into the trash, ask again, back or gone. A reference that is written after `named` answered belongs to a publisher
 * that has yet to look whether its blobs are there, and writes the missing ones again.
 */
export async function discardBlobs(
  root: string,
  candidates: ReadonlySet<Digest>,
  named: () => Promise<ReadonlySet<Digest>>,
): Promise<{ readonly freedBytes: number }> {
  await using blobs = await makeBelow(root, blobPath);
  await using trash = await makeBelow(root, trashPath);
  let freedBytes = 0;
  try {
    for (const digest of candidates) await moveAside(blobs, trash, digestHex(digest));
    const aside = await listTrash(trash);
    const keep = await named();
    for (const digest of aside) {
      const name = digestHex(digest);
      if (keep.has(digest)) await putBack(blobs, trash, name);
      else freedBytes += await destroy(trash, name);
    }
  } catch (error) {
    for (const digest of await listTrash(trash)) await putBack(blobs, trash, digestHex(digest));
    throw error;
  } finally {
    await blobs.handle.sync();
  }
  return { freedBytes };
}

async function listTrash(trash: ConfinedDirectory): Promise<readonly Digest[]> {
  return (await readdir(trash.path)).map((name) => `sha256:${name}`).filter(isDigest);
}

async function moveAside(
  blobs: ConfinedDirectory,
  trash: ConfinedDirectory,
  name: string,
): Promise<void> {
  try {
    await rename(blobs.entry(name), trash.entry(name));
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** Another writer may have written the blob again meanwhile, and another sweeper may have been faster: both are fine. */
async function putBack(
  blobs: ConfinedDirectory,
  trash: ConfinedDirectory,
  name: string,
): Promise<void> {
  try {
    await link(trash.entry(name), blobs.entry(name));
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return;
    if (code !== 'EEXIST') throw error;
  }
  await removeIfThere(trash.entry(name));
}

async function destroy(trash: ConfinedDirectory, name: string): Promise<number> {
  const found = await lstat(trash.entry(name)).catch((error: unknown) => {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  });
  await removeIfThere(trash.entry(name));
  return found?.size ?? 0;
}
