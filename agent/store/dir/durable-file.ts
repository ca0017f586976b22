import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, open, readdir, rename, unlink } from 'node:fs/promises';
import { errorCode } from '../error-code.ts';
import type { Leftover } from '../store.ts';
import { type ConfinedDirectory, lstatIfThere } from './confined-directory.ts';

const { O_WRONLY, O_CREAT, O_EXCL, O_NOFOLLOW } = constants;

/** A writer that has not touched its temporary file for so long is taken for dead. One that was not finds its file gone, and tries again. */
export const staleAfterMilliseconds = 3_600_000;

/** Names of temporary files. Nothing else in their directory is ever removed: it may be that of somebody else. */
const temporaryName = /^[0-9]+-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

const newTemporaryName = (): string => `${process.pid}-${randomUUID()}`;

/** Where a file is written (`temporary`) and where it ends (`target`): two directories of one file system. */
export type Destination = {
  readonly temporary: ConfinedDirectory;
  readonly target: ConfinedDirectory;
  readonly name: string;
};

/**
 * Writes a file under another name and gives it its own only once its bytes are durable; nobody ever sees a half-written one. `ifThere`:
 * `keep` links it only where nothing stands, `replace` renames over. `sync` makes its bytes durable. Resolves to false when something stood there. The caller syncs `target`.
 */
export async function writeDurably(
  destination: Destination,
  ifThere: 'keep' | 'replace',
  write: (file: FileHandle) => Promise<void>,
  sync: (file: FileHandle) => Promise<void>,
): Promise<boolean> {
  const { temporary, target, name } = destination;
  const path = temporary.entry(newTemporaryName());
  const file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    try {
      await write(file);
      await sync(file);
    } finally {
      await file.close();
    }
    if (ifThere === 'replace') {
      await rename(path, target.entry(name));
      return true;
    }
    await link(path, target.entry(name));
    return true;
  } catch (error) {
    if (ifThere === 'keep' && errorCode(error) === 'EEXIST') return false;
    throw error;
  } finally {
    await removeIfThere(path);
  }
}

/** How a file that comes alone is made durable. */
export const syncAlone = (file: FileHandle): Promise<void> => file.datasync();

/** Makes a file of one block durable and removes it: a full, read-only or failing file system says so here. */
export async function tryWriting(temporary: ConfinedDirectory): Promise<void> {
  const path = temporary.entry(newTemporaryName());
  const file = await open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, 0o600);
  try {
    await file.writeFile(new Uint8Array(4096));
    await file.datasync();
  } finally {
    await file.close();
    await removeIfThere(path);
  }
}

/** Removes a file; one that is not there is fine. */
export async function removeIfThere(path: string): Promise<void> {
  try {
    await unlink(path);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** Temporary files that nobody touched since `before` (wall clock, milliseconds). */
export async function* listStale(
  temporary: ConfinedDirectory,
  before: number,
): AsyncGenerator<Leftover> {
  for (const name of await readdir(temporary.path)) {
    if (!temporaryName.test(name)) continue;
    const found = await lstatIfThere(temporary.entry(name));
    if (found === undefined || found.mtimeMs >= before) continue;
    yield { name, sizeBytes: found.size, modifiedAtMilliseconds: found.mtimeMs };
  }
}

/** Removes what dead writers left among the temporary files. `before` as in listStale. */
export async function removeStale(temporary: ConfinedDirectory, before: number): Promise<void> {
  for await (const { name } of listStale(temporary, before)) {
    await removeIfThere(temporary.entry(name));
  }
}
