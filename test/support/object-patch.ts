import { Failure } from '../../core/failure.ts';
import type { Patch, RawObject } from '../../runtime/kube-port.ts';
import { isRecord } from '../../runtime/raw-object.ts';

/** RFC 7386: objects merge, null removes, everything else replaces. */
export function mergePatch(target: unknown, patch: unknown): unknown {
  if (!isRecord(patch)) return structuredClone(patch);
  const result: Record<string, unknown> = isRecord(target) ? { ...target } : {};
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) delete result[field];
    else result[field] = mergePatch(result[field], value);
  }
  return result;
}

const unescaped = (part: string): string => part.replaceAll('~1', '/').replaceAll('~0', '~');

function refuse(path: string): Failure {
  return new Failure('terminal', 'Invalid', `the server rejected the json patch at ${path}`);
}

/** One step of RFC 6902, on a copy: the parts of the path still to go, and what to do at its end. */
function change(target: unknown, parts: readonly string[], operation: RawObject): unknown {
  const path = String(operation.path);
  const [part, ...rest] = parts;
  if (part === undefined) return structuredClone(operation.value);
  if (Array.isArray(target)) {
    const copy: unknown[] = [...target];
    const index = part === '-' ? copy.length : Number(part);
    if (rest.length > 0) copy[index] = change(copy[index], rest, operation);
    else if (operation.op === 'remove') copy.splice(index, 1);
    else if (operation.op === 'add') copy.splice(index, 0, operation.value);
    else copy[index] = operation.value;
    return copy;
  }
  if (!isRecord(target)) throw refuse(path);
  const copy: Record<string, unknown> = { ...target };
  if (rest.length > 0) copy[part] = change(copy[part], rest, operation);
  else if (operation.op === 'remove') {
    if (!(part in copy)) throw refuse(path);
    delete copy[part];
  } else copy[part] = structuredClone(operation.value);
  return copy;
}

function valueAt(target: unknown, parts: readonly string[]): unknown {
  let value = target;
  for (const part of parts) {
    if (Array.isArray(value)) value = value[Number(part)];
    else if (isRecord(value)) value = value[part];
    else return undefined;
  }
  return value;
}

/** RFC 6902 with add, replace, remove and test; a failed test is Invalid (422), as the API server answers. */
function jsonPatch(target: unknown, operations: readonly RawObject[]): unknown {
  let result = target;
  for (const operation of operations) {
    const parts = String(operation.path).split('/').slice(1).map(unescaped);
    if (operation.op === 'test') {
      const same = JSON.stringify(valueAt(result, parts)) === JSON.stringify(operation.value);
      if (!same) throw refuse(String(operation.path));
    } else result = change(result, parts, operation);
  }
  return result;
}

/** The object after the patch; the original stays as it is. */
export function applyPatch(object: RawObject, patch: Patch): RawObject {
  const result =
    patch.type === 'merge' ? mergePatch(object, patch.body) : jsonPatch(object, patch.body);
  if (!isRecord(result)) throw refuse('/');
  return result;
}
