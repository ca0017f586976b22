import { isFailure } from '../core/failure.ts';
import type { Kube, ObjectKey, RawObject } from './kube-port.ts';

/** An uncached read; undefined only when the API server itself says that there is no such object: absence by error is not absence. */
export async function readRaw(
  kube: Pick<Kube, 'get'>,
  key: ObjectKey,
  signal: AbortSignal,
): Promise<RawObject | undefined> {
  try {
    return await kube.get(key, signal);
  } catch (error) {
    if (isFailure(error, 'gone')) return undefined;
    throw error;
  }
}
