import type { CaptureRequest, SourceContainer } from '../capture/backend.ts';
import type { Intent, IntentStep } from '../journal/journal.ts';
import type { OrderDeps } from './deps.ts';
import { type CaptureFacts, formatFacts } from './facts.ts';
import { pinsOf } from './source-check.ts';
import { podFactsOf, podVolumesOf } from './source-facts.ts';
import type { WorkOrder } from './work.ts';

/** A start from the pod, as against from what lies in staging. */
export type FromPod = Extract<WorkOrder['from'], { start: 'pod' }>;

/** What is known before anything is done; the gate's view of the containers among it. */
export const factsAtStart = (deps: OrderDeps, order: WorkOrder, from: FromPod): CaptureFacts => ({
  startedAt: order.startedAt,
  restartCounts: Object.fromEntries(
    pinsOf(from.pod, order.containers).map((pin) => [pin.container, pin.restartCount]),
  ),
  bootID: deps.bootID,
  ...podFactsOf(from.pod, order.containers),
});

/** The intent that announces an attempt. */
export const intentOf = (
  order: WorkOrder,
  from: FromPod,
  containers: readonly SourceContainer[],
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
  attempt: order.attempt,
  step,
  stagingDirectory,
  processes: containers.map(({ name, root }) => ({
    container: name,
    source: root,
    criu: undefined,
  })),
  fence: order.lease.fence,
  facts: formatFacts(facts),
});

/** What the backend is asked for. */
export const requestOf = (
  deps: OrderDeps,
  order: WorkOrder,
  from: FromPod,
  containers: readonly SourceContainer[],
): CaptureRequest => ({
  containers,
  podUID: from.pod.metadata.uid,
  volumes: podVolumesOf(from.pod),
  stagingDirectory: deps.staging.pathOf(order.content.metadata.uid, order.attempt),
  freezeBudgetSeconds: order.content.spec.freezeBudgetSeconds,
});
