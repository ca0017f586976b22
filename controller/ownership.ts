import type { Metadata } from '../core/api/metadata.ts';

type Owned = Pick<Metadata, 'ownerReferences'>;

/** The controlling owner of a kind, if the object has one. */
export function ownerOf(
  metadata: Owned,
  kind: string,
): Metadata['ownerReferences'][number] | undefined {
  return metadata.ownerReferences.find((owner) => owner.controller === true && owner.kind === kind);
}

/** Controlled by the object with this UID; a name is never enough, it may belong to a successor. */
export function isOwnedBy(metadata: Owned, uid: string): boolean {
  return metadata.ownerReferences.some((owner) => owner.controller === true && owner.uid === uid);
}
