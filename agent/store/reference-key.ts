import { Failure } from '../../core/failure.ts';
import type { ReferenceKey } from './store.ts';

/** One path component: what Kubernetes allows in namespaces and UIDs, so never `.`, `..`, empty, or with a slash. */
const component = /^[a-z0-9]([-a-z0-9]{0,126}[a-z0-9])?$/;

/** True when both parts may become file names. */
export function isReferenceKey(key: ReferenceKey): boolean {
  return component.test(key.namespace) && component.test(key.contentUID);
}

/** Throws a terminal Failure for a key that may not become a path. */
export function checkReferenceKey(key: ReferenceKey): void {
  if (!isReferenceKey(key)) {
    throw new Failure(
      'terminal',
      'InvalidDestination',
      `${JSON.stringify(`${key.namespace}/${key.contentUID}`)} cannot name a stored snapshot`,
    );
  }
}
