import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, link, open, rename, rm } from 'node:fs/promises';
import { errorText, Failure, isFailure } from '../../core/failure.ts';

/**
 * A directory that a workload may have had its hands on. `base` is the node's own and may contain links; every name in `below` is
 * opened without following one.
 */
export type ConfinedDirectory = { readonly base: string; readonly below: readonly string[] };

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY;

/** True for a name that stays inside its directory. */
export function isPlainName(name: string): boolean {
  return name !== '' && name !== '.' && name !== '..' && !/[/\0]/.test(name);
}

/**
 * Opens the directory; the handle names it for good, whatever is renamed meanwhile. Node has no openat: a path through
 * /proc/self/fd/N is the same thing, because the kernel resolves that link to the open directory itself.
 * Throws Failure 'gone' when a part is missing, 'terminal' when one is a link or no directory.
 */
export async function openConfined(directory: ConfinedDirectory): Promise<FileHandle> {
  let handle = await opened(directory.base, directoryFlags, directory.base);
  for (const name of directory.below) {
    const parent = handle;
    try {
      if (!isPlainName(name)) {
        throw new Failure('terminal', 'UnsafePath', `${JSON.stringify(name)} is not a plain name`);
      }
      const path = `/proc/self/fd/${parent.fd}/${name}`;
      handle = await opened(path, directoryFlags | constants.O_NOFOLLOW, shown(directory));
    } finally {
      await parent.close();
    }
  }
  return handle;
}

/** Runs `use` with the open directory and closes it. */
export async function withConfined<T>(
  directory: ConfinedDirectory,
  use: (handle: FileHandle) => Promise<T>,
): Promise<T> {
  const handle = await openConfined(directory);
  try {
    return await use(handle);
  } finally {
    await handle.close();
  }
}

/** Troubles of the node. Any other is the workload's doing (a directory of that name, a full volume), and would be there for ever. */
const passing = new Set(['EIO', 'EAGAIN', 'EINTR', 'EMFILE', 'ENFILE', 'ENOMEM', 'ESTALE']);

/**
 * Writes a file that a reader sees whole or not at all: a new file under a name nobody can guess, then a rename, which replaces a link
 * instead of following it. Readable by every user of the workload.
 */
export const writeSentinel = (
  directory: ConfinedDirectory,
  name: string,
  text: string,
): Promise<void> => putSentinel(directory, name, text, rename);

/** The same for a file that must not be there yet: of several who try one succeeds. Throws Failure 'terminal' SentinelExists. */
export const claimSentinel = (
  directory: ConfinedDirectory,
  name: string,
  text: string,
): Promise<void> =>
  putSentinel(directory, name, text, async (temporary, target) => {
    try {
      await link(temporary, target);
    } catch (error) {
      if (codeOf(error) !== 'EEXIST') throw error;
      throw new Failure(
        'terminal',
        'SentinelExists',
        `${shown(directory)}/${name} is there already`,
      );
    }
    await rm(temporary);
  });

async function putSentinel(
  directory: ConfinedDirectory,
  name: string,
  text: string,
  put: (temporary: string, target: string) => Promise<void>,
): Promise<void> {
  if (!isPlainName(name)) {
    throw new Failure('terminal', 'UnsafePath', `${JSON.stringify(name)} is not a plain name`);
  }
  await withConfined(directory, async (handle) => {
    const temporary = `/proc/self/fd/${handle.fd}/.${randomUUID()}`;
    try {
      const file = await open(temporary, 'wx', 0o644);
      try {
        await file.writeFile(text);
        // The umask must not decide whether the workload can read its own sentinel.
        await file.chmod(0o644);
      } finally {
        await file.close();
      }
      await put(temporary, `/proc/self/fd/${handle.fd}/${name}`);
    } catch (error) {
      await rm(temporary, { force: true });
      if (isFailure(error)) throw error;
      const where = `${shown(directory)}/${name}`;
      const kind = passing.has(codeOf(error) ?? '') ? 'retry' : 'terminal';
      throw new Failure(kind, 'SentinelFailed', `${where}: ${errorText(error)}`, { cause: error });
    }
  });
}

const shown = (directory: ConfinedDirectory): string =>
  [directory.base, ...directory.below].join('/');

function codeOf(error: unknown): string | undefined {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : undefined;
}

async function opened(path: string, flags: number, name: string): Promise<FileHandle> {
  try {
    return await open(path, flags);
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') {
      throw new Failure('gone', 'DirectoryGone', `${name} is not there`, { cause: error });
    }
    if (code === 'ELOOP' || code === 'ENOTDIR') {
      throw new Failure('terminal', 'UnsafePath', `${name} is not made of plain directories`, {
        cause: error,
      });
    }
    throw error;
  }
}
