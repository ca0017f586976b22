import type { Kind } from '../core/api/kinds.ts';
import type { ObjectKey, RawObject } from './kube-port.ts';

/** Narrowing for raw JSON: an object, not an array, not null. */
export function isRecord(value: unknown): value is RawObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** A field that must be an object; empty where it is absent or something else. */
export function recordAt(object: RawObject, field: string): RawObject {
  const value = object[field];
  return isRecord(value) ? value : {};
}

/** A field that must be a string; '' where it is absent or something else. */
export function textAt(object: RawObject, field: string): string {
  const value = object[field];
  return typeof value === 'string' ? value : '';
}

/** A field that must be a finite number; `fallback` where it is absent or something else. */
export function numberAt(object: RawObject, field: string, fallback: number): number {
  const value = object[field];
  return typeof value === 'number' && Number.isFinite(value) ? value : fallback;
}

/** The identity of a raw object; '' where a field is absent. */
export type Identity = {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly resourceVersion: string;
};

/** Reads the identity from `metadata` without a full parse. */
export function identityOf(object: RawObject): Identity {
  const metadata = recordAt(object, 'metadata');
  return {
    name: textAt(metadata, 'name'),
    namespace: textAt(metadata, 'namespace'),
    uid: textAt(metadata, 'uid'),
    resourceVersion: textAt(metadata, 'resourceVersion'),
  };
}

/** The text form of an address inside one kind, as caches and queues use it: `namespace/name`, or `name` for cluster-scoped objects. */
export function cacheKey(namespace: string, name: string): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

/** The reverse of `cacheKey`. Names and namespaces hold no slash. */
export function objectKey(kind: Kind, key: string): ObjectKey {
  const slash = key.indexOf('/');
  return slash < 0
    ? { kind, namespace: '', name: key }
    : { kind, namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

/** For messages: `podsnapshots default/one`. */
export function describeKey(key: ObjectKey): string {
  return `${key.kind.plural} ${cacheKey(key.namespace, key.name)}`;
}
