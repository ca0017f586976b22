import { type Condition, timestamp, withCondition } from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import {
  type PodSnapshotContent,
  parsePodSnapshotContent,
} from '../../core/api/pod-snapshot-content.ts';
import type { Clock } from '../../core/clock.ts';
import type { Kube } from '../../runtime/kube-port.ts';
import { parsedOrRetry } from '../read.ts';

/** Sets the condition Released of a content that no agent works on; optimistic, so that whoever does write meanwhile is not overruled. */
export async function markReleased(
  targets: { readonly kube: Kube; readonly clock: Clock },
  content: PodSnapshotContent,
  state: Pick<Condition, 'status' | 'reason' | 'message'>,
  signal: AbortSignal,
): Promise<PodSnapshotContent> {
  const { generation, name, resourceVersion } = content.metadata;
  const conditions = withCondition(
    content.status.conditions,
    { type: 'Released', ...state, observedGeneration: generation },
    timestamp(targets.clock.wallMilliseconds()),
  );
  const body = { metadata: { resourceVersion }, status: { conditions } };
  const key = { kind: kinds.podSnapshotContent, namespace: '', name };
  const raw = await targets.kube.patch(key, 'status', { type: 'merge', body }, signal);
  return parsedOrRetry(parsePodSnapshotContent(raw));
}
