import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, mkdir, open } from 'node:fs/promises';
import { errorCode } from '../error-code.ts';

/**
 * An open directory whose entries are reached through its descriptor. Node has no openat(2); a path through /proc/self/fd is resolved by the
 * kernel from the open directory itself, so nobody can swap a component for a symlink between two steps.
 */
export type ConfinedDirectory = AsyncDisposable & {
  readonly handle: FileHandle;
  /** Path of the directory itself, for listing it. */
  readonly path: string;
  /** Path of a direct entry. Throws on anything but one plain component. */
  entry(name: string): string;
};

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK } = constants;

function confined(handle: FileHandle): ConfinedDirectory {
  const path = `/proc/self/fd/${handle.fd}`;
  return {
    handle,
    path,
    entry: (name) => {
      if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) {
        throw new Error(`${JSON.stringify(name)} is not a file name`);
      }
      return `${path}/${name}`;
    },
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/** Opens a directory that the administrator named; symlinks in that path are the administrator's own. */
export async function openRoot(path: string): Promise<ConfinedDirectory> {
  return confined(await open(path, O_RDONLY | O_DIRECTORY));
}

/** Opens a directory below another, never through a symlink. Rejects with ENOENT where there is none, with ENOTDIR for anything else. */
export async function openDirectory(
  parent: ConfinedDirectory,
  name: string,
): Promise<ConfinedDirectory> {
  return confined(await open(parent.entry(name), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
}

/** The same; creates it first (0700, durable in its parent) where there is none. */
export async function makeDirectory(
  parent: ConfinedDirectory,
  name: string,
): Promise<ConfinedDirectory> {
  try {
    return await openDirectory(parent, name);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
  try {
    await mkdir(parent.entry(name), { mode: 0o700 });
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error;
  }
  await parent.handle.sync();
  return await openDirectory(parent, name);
}

/** Opens a regular file for reading. A symlink is refused (ELOOP); a FIFO cannot hold the open up, and is refused as the others are. */
export async function openFile(parent: ConfinedDirectory, name: string): Promise<FileHandle> {
  const handle = await open(parent.entry(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
  try {
    if (!(await handle.stat()).isFile()) throw new Error(`${name} is not a regular file`);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** The same; undefined where there is no such entry, or none any more. */
export async function openFileIfThere(
  parent: ConfinedDirectory,
  name: string,
): Promise<FileHandle | undefined> {
  try {
    return await openFile(parent, name);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}

/** Size of a regular file in bytes, undefined where there is no such entry. Rejects for anything but a regular file. */
export async function fileSize(
  parent: ConfinedDirectory,
  name: string,
): Promise<number | undefined> {
  const found = await lstatIfThere(parent.entry(name));
  if (found !== undefined && !found.isFile()) throw new Error(`${name} is not a regular file`);
  return found?.size;
}

/** What an entry is, a symlink not followed; undefined where there is none. */
export async function lstatIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw error;
  }
}
