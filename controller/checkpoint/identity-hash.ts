import type { CheckpointIdentity, DynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import { shortHash } from '../source-job/short-hash.ts';

/** What a checkpoint is known by. `identityHash` is absent where the spec names no identity. */
export type CheckpointIDs = { readonly checkpointID: string; readonly identityHash?: string };

/** JSON with the keys of every object in order, absent fields left out: equal identities give equal text. */
function canonicalText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(canonicalText).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const fields = Object.entries(value)
    .filter(([, field]) => field !== undefined)
    // Code unit order, not locale order: the hash must be the same on every machine.
    .sort(([left], [right]) => (left < right ? -1 : 1))
    .map(([name, field]) => `${JSON.stringify(name)}:${canonicalText(field)}`);
  return `{${fields.join(',')}}`;
}

/** 16 hex digits of SHA-256 over the canonical identity; the order of keys does not matter. */
export function identityHash(identity: CheckpointIdentity): string {
  return shortHash(canonicalText(identity));
}

/** The identity's hash, or without one a hash of the object's UID: an ID that nobody else can have. */
export function checkpointIDs(checkpoint: DynamoCheckpoint): CheckpointIDs {
  const { identity } = checkpoint.spec;
  if (identity === undefined) return { checkpointID: shortHash(checkpoint.metadata.uid) };
  const hash = identityHash(identity);
  return { checkpointID: hash, identityHash: hash };
}
