import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { Failure } from '../../core/failure.ts';

/** A file of a dump, by its path inside the staging directory. */
export type StagedFile = { readonly path: string; readonly sizeBytes: number };

/** Where dumps are written before they are published: one directory an attempt, all below one root that is ours alone. */
export interface Staging {
  /** The directory of an attempt; a pure function of its arguments. */
  pathOf(contentUID: string, attempt: number): string;
  /** Makes it, empty and 0700. */
  create(path: string): Promise<void>;
  /** Removes it with everything in it; one that is not there is fine, one outside the root is refused. */
  drop(path: string): Promise<void>;
  /** Leaves a note in it, which `noted` finds again, whatever became of the journal. */
  note(path: string, text: string): Promise<void>;
  noted(path: string): Promise<string | undefined>;
  /** Every regular file in it. */
  files(path: string): Promise<readonly StagedFile[]>;
  /** All directories below the root. */
  list(): Promise<readonly string[]>;
}

/** UIDs come from the API server and become names of directories: nothing but what a UID is made of. */
const uidPattern = /^[A-Za-z0-9-]{1,64}$/;

const noteName = 'note.json';

/** Staging on a file system. `root` is made when it is first needed. */
export function directoryStaging(root: string): Staging {
  const checked = (path: string): string => {
    if (dirname(path) !== root || path === root) {
      throw new Failure(
        'terminal',
        'StagingOutside',
        `${path} is not a staging directory below ${root}`,
      );
    }
    return path;
  };
  const filesIn = async (top: string): Promise<readonly StagedFile[]> => {
    const entries = await readdir(top, { withFileTypes: true, recursive: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map(async (entry) => {
        const path = join(entry.parentPath, entry.name);
        return { path: relative(top, path), sizeBytes: (await stat(path)).size };
      });
    return (await Promise.all(files)).sort((a, b) => (a.path < b.path ? -1 : 1));
  };
  return {
    pathOf: (contentUID, attempt) => {
      if (!uidPattern.test(contentUID)) {
        throw new Failure('terminal', 'StagingOutside', `${contentUID} cannot name a directory`);
      }
      return join(root, `${contentUID}-${attempt}`);
    },
    create: async (path) => {
      await mkdir(root, { recursive: true, mode: 0o700 });
      await rm(checked(path), { recursive: true, force: true });
      await mkdir(path, { mode: 0o700 });
    },
    drop: (path) => rm(checked(path), { recursive: true, force: true }),
    note: async (path, text) => writeFile(join(checked(path), noteName), text, { mode: 0o600 }),
    noted: (path) =>
      readFile(join(checked(path), noteName), 'utf8').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
        throw error;
      }),
    files: (path) => filesIn(checked(path)),
    list: async () => {
      await mkdir(root, { recursive: true, mode: 0o700 });
      const entries = await readdir(root, { withFileTypes: true });
      return entries.map((entry) => join(root, entry.name));
    },
  };
}

/** Whether every file noted after the dump is still there in its size. A publish keeps notes of its own beside them. */
export function hasFiles(
  noted: readonly StagedFile[] | undefined,
  found: readonly StagedFile[],
): boolean {
  if (noted === undefined || noted.length === 0) return false;
  const sizes = new Map(found.map((file) => [file.path, file.sizeBytes]));
  return noted.every((file) => sizes.get(file.path) === file.sizeBytes);
}
