import { kinds } from '../core/api/kinds.ts';
import { labels } from '../core/api/names.ts';
import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../core/api/pod-snapshot-content.ts';
import { type Pod, parsePod } from '../core/api/workload.ts';
import type { Clock } from '../core/clock.ts';
import type { Random } from '../runtime/back-off.ts';
import type { Kube } from '../runtime/kube-port.ts';
import type { Log } from '../runtime/log.ts';
import { cacheKey } from '../runtime/raw-object.ts';
import { Reflector, type ReflectorObserver } from '../runtime/reflector.ts';
import type { OrderCache } from './order/deps.ts';

/** Bookmarks come about every minute; a stream silent for longer than three is dead. */
const silenceMilliseconds = 200_000;

/** What an agent watches: the work orders routed to its node and the pods that run there. */
export type NodeCaches = {
  readonly contents: Reflector<PodSnapshotContent>;
  readonly pods: Reflector<Pod>;
  readonly orders: OrderCache;
};

/** Caches of one node. The callbacks only enqueue. Nothing is asked of the server before `run` of each. */
export function nodeCaches(options: {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly observer: (kind: string) => ReflectorObserver;
  readonly nodeName: string;
  readonly contentChanged: (name: string) => void;
  readonly podChanged: (namespace: string, name: string) => void;
}): NodeCaches {
  const { kube, clock, random, log, nodeName } = options;
  const shared = { kube, clock, random, log, indexes: {}, silenceMilliseconds };
  const contents = new Reflector({
    ...shared,
    observer: options.observer(kinds.podSnapshotContent.kind),
    selection: {
      kind: kinds.podSnapshotContent,
      labelSelector: `${labels.node}=${nodeName}`,
    },
    parse: parsePodSnapshotContent,
    onChange: (key) => options.contentChanged(key),
  });
  const pods = new Reflector({
    ...shared,
    observer: options.observer(kinds.pod.kind),
    selection: { kind: kinds.pod, fieldSelector: `spec.nodeName=${nodeName}` },
    parse: parsePod,
    onChange: (key) => {
      const [namespace = '', name = ''] = key.split('/');
      options.podChanged(namespace, name);
    },
  });
  return {
    contents,
    pods,
    orders: {
      content: (name) => contents.get(name),
      contents: () => contents.list(),
      pod: (namespace, name) => pods.get(cacheKey(namespace, name)),
    },
  };
}
