import { readdir } from 'node:fs/promises';
import { InvalidArgumentError, Option } from 'commander';
import { dirStore } from '../../../agent/store/dir/dir-store.ts';
import type { SnapshotStore } from '../../../agent/store/store.ts';
import { Failure } from '../../../core/failure.ts';
import type { Terminal } from '../../terminal.ts';

const variable = 'CRYOPOD_STORE_DIRECTORY';

/** `--store DIR`; in an agent's pod the environment has it. */
export function storeOption({ environment }: Terminal): Option {
  const option = new Option('--store <directory>', `the store (default: $${variable})`);
  option.argParser((text) => {
    if (text === '') throw new InvalidArgumentError('must name a directory.');
    return text;
  });
  const set = environment[variable];
  if (set !== undefined && set !== '') option.default(set, `$${variable}`);
  return option.makeOptionMandatory();
}

/** What a store has in its directory, and what a file system of its own adds. */
const storeEntries = ['blobs', 'snapshots', 'tmp', 'trash', 'lost+found'];

/**
 * The store in a directory. Refuses one that holds other things: its `tmp` and `trash` would be somebody else's, and an import would strew files
 * into it. Throws a Failure that names the directory.
 */
export async function openStore(directory: string): Promise<SnapshotStore> {
  const names = await readdir(directory).catch((error: unknown) => {
    const why = error instanceof Error ? error.message : String(error);
    throw new Failure('terminal', 'StorageError', `the store ${directory} cannot be read: ${why}`);
  });
  const isStore = names.includes('blobs') || names.every((name) => storeEntries.includes(name));
  if (!isStore) {
    throw new Failure(
      'terminal',
      'BadConfig',
      `${directory} is no store of Cryopod: it has no blobs, but ${names.length} other entries`,
    );
  }
  return dirStore(directory);
}
