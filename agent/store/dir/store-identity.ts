import { randomUUID } from 'node:crypto';
import { Failure } from '../../../core/failure.ts';
import { type ConfinedDirectory, openFileIfThere, openRoot } from './confined-directory.ts';
import { syncAlone, writeDurably } from './durable-file.ts';
import { makeBelow, temporaryPath } from './layout.ts';
import { onStorage } from './storage-failure.ts';

const fileName = 'store-id';
const identity = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/**
 * What names this very directory, on whatever node it is mounted: a file in it that whoever comes first writes. Two agents that read the
 * same see the same bytes; one whose volume is not mounted reads another, or none. Errors: the store's, and `StorageError` for a file that
 * is none of ours.
 */
export function storeIdentity(root: string, signal: AbortSignal): Promise<string> {
  return onStorage(root, 'tell which store it is', signal, async () => {
    await using directory = await openRoot(root);
    const standing = await readIdentity(directory);
    if (standing !== undefined) return standing;
    await using temporary = await makeBelow(root, temporaryPath);
    await writeDurably(
      { temporary, target: directory, name: fileName },
      'keep',
      (file) => file.writeFile(`${randomUUID()}\n`),
      syncAlone,
    );
    await directory.handle.sync();
    // Read back in any case: another node may have been faster.
    const written = await readIdentity(directory);
    if (written === undefined) throw new Error(`${fileName} was removed while it was written`);
    return written;
  });
}

async function readIdentity(directory: ConfinedDirectory): Promise<string | undefined> {
  await using file = await openFileIfThere(directory, fileName);
  if (file === undefined) return undefined;
  const strange = new Failure('retry', 'StorageError', `${fileName} in the store is none of ours`);
  if ((await file.stat()).size > 64) throw strange;
  const text = (await file.readFile('utf8')).trim();
  if (identity.test(text)) return text;
  throw strange;
}
