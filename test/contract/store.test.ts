import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { digestHex } from '../../agent/store/digest.ts';
import { dirStore } from '../../agent/store/dir/dir-store.ts';
import { memoryStore } from '../support/memory-store.ts';
import { storeContract } from './store-contract.ts';

let directory = '';

storeContract(
  'in a directory',
  async () => {
    directory = await mkdtemp(join(tmpdir(), 'store-'));
    return {
      store: dirStore(directory),
      damage: (digest, bytes) =>
        writeFile(join(directory, 'blobs/sha256', digestHex(digest)), bytes),
    };
  },
  () => rm(directory, { recursive: true, force: true }),
);

storeContract(
  'in memory',
  async () => {
    const store = memoryStore();
    return {
      store,
      damage: async (digest, bytes) => {
        store.blobs.set(digest, { bytes, modifiedAtMilliseconds: 0 });
      },
    };
  },
  async () => undefined,
);
