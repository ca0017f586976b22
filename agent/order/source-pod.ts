import { kinds } from '../../core/api/kinds.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { type Pod, parsePod } from '../../core/api/workload.ts';
import { Failure } from '../../core/failure.ts';
import type { ObjectKey } from '../../runtime/kube-port.ts';
import { readRaw } from '../../runtime/read-raw.ts';
import type { OrderDeps } from './deps.ts';

/** The address of the pod an order names. */
export const podKeyOf = (content: PodSnapshotContent): ObjectKey => ({
  kind: kinds.pod,
  namespace: content.spec.snapshotRef.namespace,
  name: content.spec.source.podRef?.name ?? '',
});

/** The pod as the API server has it now; undefined when the server said that there is none. */
export async function readPod(
  deps: Pick<OrderDeps, 'kube'>,
  content: PodSnapshotContent,
  signal: AbortSignal,
): Promise<Pod | undefined> {
  const raw = await readRaw(deps.kube, podKeyOf(content), signal);
  if (raw === undefined) return undefined;
  const parsed = parsePod(raw);
  if (parsed.ok) return parsed.value;
  throw new Failure('terminal', 'UnreadablePod', `the source pod: ${parsed.message}`);
}

/** The pod an order names, from the cache; from the server when the cache has none, or another one under that name. */
export async function sourcePod(
  deps: Pick<OrderDeps, 'kube' | 'cache'>,
  content: PodSnapshotContent,
  signal: AbortSignal,
): Promise<Pod | undefined> {
  const { namespace, name } = podKeyOf(content);
  const cached = deps.cache.pod(namespace, name);
  if (cached?.metadata.uid === content.spec.source.podRef?.uid) return cached;
  return readPod(deps, content, signal);
}

/** The source's priority as the API server resolved its PriorityClass; that of a pod without one where the cache has no such pod. */
export function priorityOf(deps: Pick<OrderDeps, 'cache'>, content: PodSnapshotContent): number {
  const { namespace, name } = podKeyOf(content);
  const pod = deps.cache.pod(namespace, name);
  return pod?.metadata.uid === content.spec.source.podRef?.uid ? (pod?.spec.priority ?? 0) : 0;
}
