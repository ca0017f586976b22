import { isReferenceKey } from '../../../agent/store/reference-key.ts';
import type { Reference, ReferenceKey, SnapshotStore } from '../../../agent/store/store.ts';
import { Failure } from '../../../core/failure.ts';

/** `NAMESPACE/UID` -> key; undefined for anything else. */
export function parseKey(text: string): ReferenceKey | undefined {
  const [namespace = '', contentUID = '', ...rest] = text.split('/');
  const key = { namespace, contentUID };
  return rest.length === 0 && isReferenceKey(key) ? key : undefined;
}

/** `NAMESPACE/UID`. */
export const nameOf = (key: ReferenceKey): string => `${key.namespace}/${key.contentUID}`;

/** The snapshot that a user names by `NAMESPACE/UID`, or by a content UID that only one namespace has. Throws a Failure that says what was not found. */
export async function findSnapshot(
  store: SnapshotStore,
  name: string,
  signal: AbortSignal,
): Promise<ReferenceKey> {
  const found: ReferenceKey[] = [];
  for await (const key of store.listKeys(signal)) {
    if (nameOf(key) === name || key.contentUID === name) found.push(key);
  }
  const [only, ...others] = found;
  if (only === undefined) {
    throw new Failure('gone', 'ArtifactLost', `the store has no snapshot ${JSON.stringify(name)}`);
  }
  if (others.length > 0) {
    const names = found.map(nameOf).join(', ');
    throw new Failure(
      'terminal',
      'InvalidDestination',
      `${name} may be ${names}: name one of them`,
    );
  }
  return only;
}

/** The reference of a key that was listed. Throws when it is damaged, or gone by now. */
export async function referenceOf(
  store: SnapshotStore,
  key: ReferenceKey,
  signal: AbortSignal,
): Promise<Reference> {
  const reference = await store.getReference(key, signal);
  if (reference !== undefined) return reference;
  throw new Failure('gone', 'ArtifactLost', `the store has no snapshot ${nameOf(key)}`);
}
