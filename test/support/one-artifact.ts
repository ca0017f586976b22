import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { publishArtifact } from '../../agent/artifact/publish.ts';
import { dirStore } from '../../agent/store/dir/dir-store.ts';
import type { ReferenceKey, SnapshotStore } from '../../agent/store/store.ts';
import { makeDump, someFacts } from './fake-dump.ts';

/** A chunk of noise, a chunk of zeros, and the same noise again: something to store, to record, and to store once. */
export function somePages(): Uint8Array {
  const noise = randomBytes(4 * 2 ** 20);
  return Buffer.concat([noise, Buffer.alloc(4 * 2 ** 20), noise]);
}

/** Publishes a made-up pod into a directory store below `base`, with the pages given; returns the store and where it is. */
export async function publishInto(
  base: string,
  key: ReferenceKey,
  pages: Uint8Array,
): Promise<{ readonly store: SnapshotStore; readonly root: string; readonly digest: string }> {
  const root = join(base, 'store');
  await mkdir(root, { recursive: true });
  const store = dirStore(root);
  const stagingDirectory = join(base, `staging-${key.namespace}-${key.contentUID}`);
  const dump = await makeDump(stagingDirectory, { 'pages-1.img': pages });
  const { namespace, contentUID } = key;
  const { digest } = await publishArtifact({
    ...{ store, dump, stagingDirectory, key, fence: 3 },
    facts: { ...someFacts, contentUID, snapshot: { ...someFacts.snapshot, namespace } },
    beforeReference: async () => undefined,
    onProgress: () => undefined,
    signal: new AbortController().signal,
  });
  return { store, root, digest };
}
