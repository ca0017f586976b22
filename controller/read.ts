import type { Parsed } from '../core/api/metadata.ts';
import { Failure } from '../core/failure.ts';
import type { Kube, ObjectKey } from '../runtime/kube-port.ts';
import { readRaw } from '../runtime/read-raw.ts';

/** The value of a parse; an object that cannot be read is looked at again later, it may be mended. */
export function parsedOrRetry<T>(result: Parsed<T>): T {
  if (result.ok) return result.value;
  throw new Failure('retry', 'UnreadableObject', result.message);
}

/** An uncached read and its parse. */
export async function read<T>(
  kube: Kube,
  key: ObjectKey,
  parse: (raw: unknown) => Parsed<T>,
  signal: AbortSignal,
): Promise<T | undefined> {
  const raw = await readRaw(kube, key, signal);
  return raw === undefined ? undefined : parsedOrRetry(parse(raw));
}
