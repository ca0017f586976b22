import { randomUUID } from 'node:crypto';
import { link, readdir, rename } from 'node:fs/promises';
import { digestHex, isDigest } from '../digest.ts';
import { errorCode } from '../error-code.ts';
import type { Digest, Leftover } from '../store.ts';
import { type ConfinedDirectory, lstatIfThere } from './confined-directory.ts';
import { removeIfThere } from './durable-file.ts';
import { blobPath, makeBelow, openBelow, trashPath } from './layout.ts';

/**
 * A blob in the trash, `<hex>.<call>`. The name is of one discard alone: were two to share it, one that asked early could destroy what the other
 * moved there later, and was told to keep. Nobody moves a second blob to a name that exists, so whoever lists an entry first and asks then
 * may judge it, whichever discard left it.
 */
type Aside = { readonly digest: Digest; readonly name: string };

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
  // One directory for all: a full store could not make another, and could free nothing.
  await using trash = await makeBelow(root, trashPath);
  const call = randomUUID();
  let freedBytes = 0;
  try {
    for (const digest of candidates) await moveAside(blobs, trash, digest, call);
    const aside = await listAside(trash);
    const keep = await named();
    for (const entry of aside) {
      if (keep.has(entry.digest)) await putBack(blobs, trash, entry);
      else freedBytes += await destroy(trash, entry);
    }
  } catch (error) {
    const own = (await listAside(trash)).filter(({ name }) => name.endsWith(call));
    for (const entry of own) await putBack(blobs, trash, entry);
    throw error;
  } finally {
    await blobs.handle.sync();
  }
  return { freedBytes };
}

/** What lies in the trash: of discards that run now, or that were interrupted. */
export async function* listTrash(root: string): AsyncGenerator<Leftover> {
  await using trash = await openBelow(root, trashPath);
  if (trash === undefined) return;
  for (const { name } of await listAside(trash)) {
    const found = await lstatIfThere(trash.entry(name));
    if (found === undefined) continue;
    yield {
      name: [...trashPath, name].join('/'),
      sizeBytes: found.size,
      modifiedAtMilliseconds: found.mtimeMs,
    };
  }
}

async function listAside(trash: ConfinedDirectory): Promise<readonly Aside[]> {
  return (await readdir(trash.path)).flatMap((name) => {
    const digest = `sha256:${name.split('.')[0]}`;
    return isDigest(digest) ? [{ digest, name }] : [];
  });
}

async function moveAside(
  blobs: ConfinedDirectory,
  trash: ConfinedDirectory,
  digest: Digest,
  call: string,
): Promise<void> {
  const hex = digestHex(digest);
  try {
    await rename(blobs.entry(hex), trash.entry(`${hex}.${call}`));
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** Another writer may have written the blob again meanwhile, and another discard may have been faster: both are fine. */
async function putBack(
  blobs: ConfinedDirectory,
  trash: ConfinedDirectory,
  { digest, name }: Aside,
): Promise<void> {
  try {
    await link(trash.entry(name), blobs.entry(digestHex(digest)));
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT') return;
    if (code !== 'EEXIST') throw error;
  }
  await removeIfThere(trash.entry(name));
}

async function destroy(trash: ConfinedDirectory, { name }: Aside): Promise<number> {
  const found = await lstatIfThere(trash.entry(name));
  await removeIfThere(trash.entry(name));
  return found?.size ?? 0;
}
