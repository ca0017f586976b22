import type { Kind } from '../core/api/kinds.ts';
import { Failure } from '../core/failure.ts';
import type { ObjectKey, Selection } from './kube-port.ts';

type Query = Readonly<Record<string, string | number | boolean | undefined>>;

function collectionPath(kind: Kind, namespace: string): string {
  const root = kind.group === '' ? '/api' : `/apis/${kind.group}`;
  const scope = kind.namespaced && namespace !== '' ? `/namespaces/${encoded(namespace)}` : '';
  return `${root}/${kind.version}${scope}/${kind.plural}`;
}

/** Names come from objects that users made: nothing in them may lead elsewhere. `..` would survive the encoding and be folded by a URL parser. */
function encoded(part: string): string {
  if (part === '.' || part === '..') {
    throw new Failure('terminal', 'InvalidName', `${part} is not the name of an object`);
  }
  return encodeURIComponent(part);
}

/** Path of one object, with `/status` where asked for. */
export function objectPath(key: ObjectKey, subresource: '' | 'status'): string {
  if (key.name === '') throw new Failure('terminal', 'InvalidName', 'an object has no name');
  if (key.kind.namespaced && key.namespace === '') {
    throw new Failure('terminal', 'InvalidName', `${key.kind.kind} ${key.name} has no namespace`);
  }
  const path = `${collectionPath(key.kind, key.namespace)}/${encoded(key.name)}`;
  return subresource === '' ? path : `${path}/${subresource}`;
}

/** Path to create an object at. */
export function createPath(kind: Kind, namespace: string, query: Query): string {
  if (kind.namespaced && namespace === '') {
    throw new Failure('terminal', 'InvalidName', `a ${kind.kind} without a namespace`);
  }
  return withQuery(collectionPath(kind, namespace), query);
}

/** Path of a list or watch. */
export function selectionPath(selection: Selection, query: Query): string {
  const { kind, namespace, labelSelector, fieldSelector } = selection;
  return withQuery(collectionPath(kind, namespace ?? ''), {
    ...query,
    labelSelector,
    fieldSelector,
  });
}

function withQuery(path: string, query: Query): string {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== '') parameters.set(name, String(value));
  }
  const text = parameters.toString();
  return text === '' ? path : `${path}?${text}`;
}
