import type { Kind } from '../../core/api/kinds.ts';
import type { Kube, ServerClock } from '../../runtime/kube-port.ts';
import { cacheKey, identityOf } from '../../runtime/raw-object.ts';

/** What a write did to an object; a status is a part of its own. */
export const operations = ['create', 'patch', 'patch-status', 'delete'] as const;
/** One operation of a write. */
export type Operation = (typeof operations)[number];

/** Told of each write: `sent` before it leaves, since the watch may show its effect before its answer comes; `answered` afterwards. */
export type WriteObserver = {
  readonly sent: (kind: Kind, key: string, operation: Operation) => void;
  readonly answered: (kind: Kind, operation: Operation, outcome: 'ok' | 'failed') => void;
};

/** The same API server with every write counted. A dry run writes nothing and is not counted. */
export function countingKube(
  kube: Kube & ServerClock,
  observer: WriteObserver,
): Kube & ServerClock {
  const counted = async <T>(
    kind: Kind,
    key: string,
    operation: Operation,
    write: () => Promise<T>,
  ): Promise<T> => {
    observer.sent(kind, key, operation);
    try {
      const answer = await write();
      observer.answered(kind, operation, 'ok');
      return answer;
    } catch (error) {
      observer.answered(kind, operation, 'failed');
      throw error;
    }
  };
  return {
    serverTime: () => kube.serverTime(),
    get: (key, signal) => kube.get(key, signal),
    list: (selection, signal) => kube.list(selection, signal),
    watch: (selection, signal) => kube.watch(selection, signal),
    create: (kind, object, options, signal) => {
      const create = () => kube.create(kind, object, options, signal);
      const { namespace, name } = identityOf(object);
      return options.dryRun ? create() : counted(kind, cacheKey(namespace, name), 'create', create);
    },
    patch: (key, subresource, patch, signal) => {
      const operation = subresource === 'status' ? 'patch-status' : 'patch';
      return counted(key.kind, cacheKey(key.namespace, key.name), operation, () =>
        kube.patch(key, subresource, patch, signal),
      );
    },
    delete: (key, preconditions, signal) =>
      counted(key.kind, cacheKey(key.namespace, key.name), 'delete', () =>
        kube.delete(key, preconditions, signal),
      ),
  };
}
