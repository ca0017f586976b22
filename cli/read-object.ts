import type { Kind } from '../core/api/kinds.ts';
import type { Parsed } from '../core/api/metadata.ts';
import { Failure, isFailure } from '../core/failure.ts';
import type { ObjectKey, RawObject } from '../runtime/kube-port.ts';
import { describeKey, identityOf } from '../runtime/raw-object.ts';
import { closeNames } from './close-names.ts';
import { RemediedFailure } from './complaint.ts';
import type { KubeSession } from './kube-session.ts';

/** Looked through for a name that was meant. */
const namesLimit = 500;

/** Reads an object that the user named; when it is not there, says which names are close. */
export async function readNamed<T>(
  session: KubeSession,
  kind: Kind,
  name: string,
  parse: (raw: unknown) => Parsed<T>,
): Promise<{ readonly raw: RawObject; readonly object: T }> {
  const namespace = kind.namespaced ? session.namespace : '';
  const key: ObjectKey = { kind, namespace, name };
  try {
    const raw = await session.kube.get(key, session.terminal.signal);
    return { raw, object: parsedOr(key, parse(raw)) };
  } catch (error) {
    throw isFailure(error, 'gone') ? await withCloseNames(session, key, error) : error;
  }
}

/** The value, or a failure that says which object does not parse and why. */
export function parsedOr<T>(key: ObjectKey, parsed: Parsed<T>): T {
  if (parsed.ok) return parsed.value;
  throw new Failure('terminal', 'Unreadable', `${describeKey(key)}: ${parsed.message}`);
}

/** The names of a kind in the namespace of the session. */
export async function namesOf(session: KubeSession, kind: Kind): Promise<readonly string[]> {
  const place = kind.namespaced ? { namespace: session.namespace } : {};
  const selection = { kind, ...place, limit: namesLimit };
  const { items } = await session.kube.list(selection, session.terminal.signal);
  return items.map((item) => identityOf(item).name);
}

async function withCloseNames(
  session: KubeSession,
  key: ObjectKey,
  failure: Failure,
): Promise<Failure> {
  // Who may get one by its name need not have the right to list them all.
  const names = await namesOf(session, key.kind).catch(() => undefined);
  if (names === undefined) return failure;
  const where = key.namespace === '' ? '' : ` in namespace ${key.namespace}`;
  const what = `${key.kind.kind} ${key.name} not found${where}`;
  const close = closeNames(key.name, names);
  const found = new Failure('gone', 'NotFound', what, { cause: failure });
  if (close.length > 0) return new RemediedFailure(found, `Did you mean ${close.join(', ')}?`);
  if (names.length === 0) {
    return new RemediedFailure(found, `There is no ${key.kind.kind}${where}: see -n.`);
  }
  return found;
}
