import type { Metadata } from '../../core/api/metadata.ts';
import type { ObjectReader } from '../../runtime/object-cache.ts';
import { ownerOf } from '../ownership.ts';

/**
 * How an object was found. `missing` is the API server's own word, never the cache's. A `foreign` object bears the name but belongs to
 * somebody else; `leaving` when it is on its way out (of an earlier incarnation of its owner, say).
 */
export type Sighting<T> =
  | { readonly state: 'unread' }
  | { readonly state: 'missing' }
  | { readonly state: 'foreign'; readonly name: string; readonly leaving: boolean }
  | { readonly state: 'ours'; readonly object: T };

/** An object that bears a name of ours and belongs to somebody else. */
export type ForeignSighting = Extract<Sighting<never>, { state: 'foreign' }>;

/**
 * Foreign objects leave when they are being deleted, or when their owner (of `ownerKind`, known by UID to `owners`) is no more: the
 * cluster's garbage collector is on its way then.
 */
export function foreignSighting(
  owners: Pick<ObjectReader<unknown, 'uid'>, 'byIndex'>,
  ownerKind: string,
  metadata: Metadata,
): ForeignSighting {
  const owner = ownerOf(metadata, ownerKind);
  const orphaned = owner !== undefined && owners.byIndex('uid', owner.uid).length === 0;
  const leaving = metadata.deletionTimestamp !== undefined || orphaned;
  return { state: 'foreign', name: metadata.name, leaving };
}

/** Milliseconds since the creation of an object of ours, `now` being the API server's time; 0 without one. */
export function ageOf(sighting: Sighting<{ readonly metadata: Metadata }>, now: number): number {
  if (sighting.state !== 'ours') return 0;
  const age = now - Date.parse(sighting.object.metadata.creationTimestamp);
  return Number.isNaN(age) ? 0 : Math.max(0, age);
}
