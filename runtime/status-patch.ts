import { Failure, isFailure } from '../core/failure.ts';
import type { Kube, ObjectKey, RawObject } from './kube-port.ts';
import { describeKey, identityOf, recordAt } from './raw-object.ts';

/** Merges `status` into the status of exactly the version that was read; throws `conflict` when the object has moved. Null removes a field, a list is replaced whole. */
export function patchStatus(
  kube: Kube,
  key: ObjectKey,
  read: { readonly resourceVersion: string },
  status: RawObject,
  signal: AbortSignal,
): Promise<RawObject> {
  return patchPart(kube, key, 'status', read, { status }, signal);
}

/** The same for everything but the status: `body` is a merge patch, its metadata.resourceVersion is set here. */
export function patchObject(
  kube: Kube,
  key: ObjectKey,
  read: { readonly resourceVersion: string },
  body: RawObject,
  signal: AbortSignal,
): Promise<RawObject> {
  return patchPart(kube, key, '', read, body, signal);
}

function patchPart(
  kube: Kube,
  key: ObjectKey,
  part: '' | 'status',
  read: { readonly resourceVersion: string },
  body: RawObject,
  signal: AbortSignal,
): Promise<RawObject> {
  // Without it the patch would apply to whatever stands under this name by now, another incarnation included.
  if (read.resourceVersion === '') {
    throw new Failure('terminal', 'NoVersion', `${describeKey(key)}: a patch without a version`);
  }
  const { resourceVersion } = read;
  const metadata = { ...recordAt(body, 'metadata'), resourceVersion };
  return kube.patch(key, part, { type: 'merge', body: { ...body, metadata } }, signal);
}

/**
 * Reads uncached, asks `change` what to merge into the status (undefined: nothing), writes with the version read, and on a conflict does it
 * all again, `attempts` times at most; then the last conflict comes out. `change` decides each time on what stands there, its UID included;
 * what it throws ends the attempts. Returns the object as it stands.
 */
export async function mutateStatus(
  kube: Kube,
  key: ObjectKey,
  change: (fresh: RawObject) => RawObject | undefined,
  limits: { readonly attempts: number },
  signal: AbortSignal,
): Promise<RawObject> {
  for (let attempt = 1; ; attempt += 1) {
    const fresh = await kube.get(key, signal);
    const status = change(fresh);
    if (status === undefined) return fresh;
    try {
      return await patchStatus(kube, key, identityOf(fresh), status, signal);
    } catch (error) {
      if (!isFailure(error, 'conflict') || attempt >= limits.attempts) throw error;
    }
  }
}
