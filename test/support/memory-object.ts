import { isDeepStrictEqual } from 'node:util';
import type { Kind } from '../../core/api/kinds.ts';
import { extensionGroup, group } from '../../core/api/names.ts';
import { Failure } from '../../core/failure.ts';
import type { ObjectKey, RawObject } from '../../runtime/kube-port.ts';
import { describeKey, identityOf, numberAt, recordAt } from '../../runtime/raw-object.ts';

const isOwn = (kind: Kind): boolean => kind.group === group || kind.group === extensionGroup;

/** Kinds with a status subresource. */
export const hasStatus = (kind: Kind): boolean =>
  isOwn(kind) || ['Pod', 'Job', 'Node'].includes(kind.kind);

/** Kinds whose generation the server counts. */
const hasGeneration = (kind: Kind): boolean => isOwn(kind) || kind.kind === 'Job';

export function finalizersOf(object: RawObject): readonly unknown[] {
  const finalizers = recordAt(object, 'metadata').finalizers;
  return Array.isArray(finalizers) ? finalizers : [];
}

/** The object as the server would store it on create: identity and times are the server's, status is not the caller's to give. */
export function preparedForCreate(
  kind: Kind,
  object: RawObject,
  uid: string,
  wallMilliseconds: number,
): RawObject {
  const { resourceVersion: _version, ...metadata } = recordAt(object, 'metadata');
  const { status, ...rest } = structuredClone(object);
  const { name } = identityOf(object);
  if (name === '') throw new Failure('terminal', 'Invalid', 'metadata.name: Required value');
  return {
    ...rest,
    ...(hasStatus(kind) || status === undefined ? {} : { status }),
    apiVersion: kind.group === '' ? kind.version : `${kind.group}/${kind.version}`,
    kind: kind.kind,
    metadata: {
      ...structuredClone(metadata),
      uid,
      creationTimestamp: `${new Date(wallMilliseconds).toISOString().slice(0, 19)}Z`,
      ...(hasGeneration(kind) ? { generation: 1 } : {}),
    },
  };
}

const withoutMetadataAndStatus = (object: RawObject): RawObject => {
  const { metadata: _metadata, status: _status, ...rest } = object;
  return rest;
};

/** The object after a patch, with the server's rules on what the endpoint may change; throws Conflict when the patch believed in another version. */
export function updatedObject(
  key: ObjectKey,
  subresource: '' | 'status',
  old: RawObject,
  patched: RawObject,
): RawObject {
  const was = identityOf(old);
  const wanted = identityOf(patched);
  // As a real server: the status endpoint takes all metadata but the resourceVersion from the stored object.
  if (wanted.uid !== was.uid && subresource === '') {
    throw new Failure('conflict', 'Conflict', `${describeKey(key)}: the UID is another`);
  }
  if (wanted.resourceVersion !== was.resourceVersion) {
    const message = `${describeKey(key)}: the object has been modified`;
    throw new Failure('conflict', 'Conflict', message);
  }
  const oldMetadata = recordAt(old, 'metadata');
  if (subresource === 'status') return { ...old, ...pick(patched, 'status') };
  const next = hasStatus(key.kind)
    ? { ...withoutStatus(patched), ...pick(old, 'status') }
    : patched;
  const generation = numberAt(oldMetadata, 'generation', 1);
  const changed = !isDeepStrictEqual(withoutMetadataAndStatus(old), withoutMetadataAndStatus(next));
  const metadata: Record<string, unknown> = {
    ...recordAt(next, 'metadata'),
    ...pick(oldMetadata, 'creationTimestamp'),
    ...pick(oldMetadata, 'deletionTimestamp'),
    ...(hasGeneration(key.kind) ? { generation: changed ? generation + 1 : generation } : {}),
  };
  const added = finalizersOf(next).filter((entry) => !finalizersOf(old).includes(entry));
  if (oldMetadata.deletionTimestamp !== undefined && added.length > 0) {
    const message =
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted';
    throw new Failure('terminal', 'Invalid', message);
  }
  return { ...next, metadata };
}

const withoutStatus = (object: RawObject): RawObject => {
  const { status: _status, ...rest } = object;
  return rest;
};

const pick = (object: RawObject, field: string): RawObject =>
  object[field] === undefined ? {} : { [field]: object[field] };
