import type { CaptureRequest, ProcessIdentity, SourceContainer } from '../capture/backend.ts';
import type { Intent, IntentStep } from '../journal/journal.ts';
import type { OrderDeps } from './deps.ts';
import { type CaptureFacts, formatFacts } from './facts.ts';
import { targetStatus } from './source-check.ts';
import { podFactsOf } from './source-facts.ts';
import type { WorkOrder } from './work.ts';

/** A start from the pod, as against from what lies in staging. */
export type FromPod = Extract<WorkOrder['from'], { start: 'pod' }>;

/** What is known before anything is done; the gate's view of the container among it. */
export const factsAtStart = (deps: OrderDeps, order: WorkOrder, from: FromPod): CaptureFacts => ({
  startedAt: order.startedAt,
  restartCount: targetStatus(from.pod, order.container)?.restartCount ?? 0,
  bootID: deps.bootID,
  ...podFactsOf(from.pod, order.container),
});

/** The intent that announces an attempt. */
export const intentOf = (
  order: WorkOrder,
  from: FromPod,
  source: ProcessIdentity | undefined,
  stagingDirectory: string,
  step: IntentStep,
  facts: CaptureFacts,
): Intent => ({
  contentUID: order.content.metadata.uid,
  contentName: order.content.metadata.name,
  namespace: order.content.spec.snapshotRef.namespace,
  snapshotName: order.content.spec.snapshotRef.name,
  podUID: from.pod.metadata.uid,
  podName: from.pod.metadata.name,
  container: order.container,
  attempt: order.attempt,
  step,
  stagingDirectory,
  criu: undefined,
  source,
  fence: order.lease.fence,
  facts: formatFacts(facts),
});

/** What the backend is asked for. */
export const requestOf = (
  deps: OrderDeps,
  order: WorkOrder,
  from: FromPod,
  container: SourceContainer,
): CaptureRequest => ({
  container,
  podUID: from.pod.metadata.uid,
  stagingDirectory: deps.staging.pathOf(order.content.metadata.uid, order.attempt),
  freezeBudgetSeconds: order.content.spec.freezeBudgetSeconds,
});
