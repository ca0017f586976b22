import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { FailureReason } from '../../core/api/reasons.ts';
import type { ContainerStatus, Pod } from '../../core/api/workload.ts';

/** What the gate saw of a target container; anything else later is another incarnation. */
export type SourcePin = {
  readonly container: string;
  readonly containerID: string | undefined;
  readonly restartCount: number;
};

/** Why an order can never be carried out, in the words of its Failed condition. */
export type Verdict = { readonly reason: FailureReason; readonly message: string };

/** What a look at the source says about capturing it now. */
export type SourceView =
  | { readonly state: 'ready' }
  /** `againMilliseconds`: set where no watch event will end the wait. */
  | {
      readonly state: 'waiting';
      readonly message: string;
      readonly againMilliseconds?: number;
    }
  | ({ readonly state: 'lost' } & Verdict);

const lost = (reason: FailureReason, message: string): SourceView => ({
  state: 'lost',
  reason,
  message,
});

const finishedPhases = ['Succeeded', 'Failed'];

/** The containers to capture, in the order asked for. */
export const targetContainers = (content: PodSnapshotContent): readonly string[] =>
  content.spec.source.podRef?.containers ?? [];

/** `container a`, `containers a, b`. */
export const nameContainers = (containers: readonly string[]): string =>
  `container${containers.length === 1 ? '' : 's'} ${containers.join(', ')}`;

/** The status the kubelet reports for a target, if it does. */
export const targetStatus = (pod: Pod, container: string): ContainerStatus | undefined =>
  pod.status.containerStatuses.find((status) => status.name === container);

/** What to remember of the targets at the gate. */
export function pinsOf(pod: Pod, containers: readonly string[]): readonly SourcePin[] {
  return containers.map((container) => {
    const status = targetStatus(pod, container);
    return {
      container,
      containerID: status?.containerID,
      restartCount: status?.restartCount ?? 0,
    };
  });
}

/** Facts about the pod that no wait can change: identity, node, end of life, containers. */
export function checkPod(
  content: PodSnapshotContent,
  pod: Pod | undefined,
  everSeen: 'new' | 'seen before',
): Verdict | undefined {
  const podRef = content.spec.source.podRef;
  const name = `${content.spec.snapshotRef.namespace}/${podRef?.name ?? ''}`;
  if (pod === undefined) {
    return everSeen === 'new'
      ? { reason: 'SourcePodNotFound', message: `pod ${name} does not exist` }
      : { reason: 'SourcePodGone', message: `pod ${name} was deleted before it was captured` };
  }
  if (pod.metadata.uid !== podRef?.uid) {
    return {
      reason: 'StalePodReference',
      message: `pod ${name} has UID ${pod.metadata.uid}, the order names ${podRef?.uid ?? 'none'}: it was replaced`,
    };
  }
  if (pod.spec.nodeName !== content.spec.source.nodeName) {
    return {
      reason: 'StalePodReference',
      message: `pod ${name} runs on node ${pod.spec.nodeName ?? 'none'}, the order names ${content.spec.source.nodeName ?? 'none'}`,
    };
  }
  if (pod.metadata.deletionTimestamp !== undefined) {
    return { reason: 'SourcePodGone', message: `pod ${name} is being deleted` };
  }
  for (const container of targetContainers(content)) {
    if (!pod.spec.containers.some((candidate) => candidate.name === container)) {
      const names = pod.spec.containers.map((candidate) => candidate.name).join(', ');
      return {
        reason: 'InvalidTargetContainer',
        message: `pod ${name} has no container ${container}; it has ${names}`,
      };
    }
    const exit = targetStatus(pod, container)?.state.terminated;
    if (exit !== undefined) {
      return {
        reason: 'CheckpointContainerFailed',
        message: `container ${container} ended with exit code ${exit.exitCode}${exit.reason === undefined ? '' : ` (${exit.reason})`} before it was captured`,
      };
    }
  }
  if (finishedPhases.includes(pod.status.phase)) {
    return { reason: 'SourcePodGone', message: `pod ${name} has finished (${pod.status.phase})` };
  }
  return undefined;
}

/** Whether the targets can be captured now, all of them. `pins` are what the gate saw. */
export function viewSource(
  content: PodSnapshotContent,
  pod: Pod | undefined,
  pins: readonly SourcePin[],
): SourceView {
  const verdict = checkPod(content, pod, 'seen before');
  if (verdict !== undefined) return { state: 'lost', ...verdict };
  const views = pins.map((pin) => viewContainer(content, pod, pin));
  const lostOne = views.find((view) => view.state === 'lost');
  return lostOne ?? views.find((view) => view.state === 'waiting') ?? { state: 'ready' };
}

function viewContainer(
  content: PodSnapshotContent,
  pod: Pod | undefined,
  pin: SourcePin,
): SourceView {
  const { container } = pin;
  const status = pod === undefined ? undefined : targetStatus(pod, container);
  if (status !== undefined && status.restartCount > pin.restartCount) {
    return lost(
      'ContainerChanged',
      `container ${container} was restarted after the order began (restart ${status.restartCount}, the order saw ${pin.restartCount})`,
    );
  }
  const replaced = pin.containerID !== undefined && status?.containerID !== pin.containerID;
  if (status?.containerID !== undefined && replaced) {
    return lost(
      'ContainerChanged',
      `container ${container} is ${status.containerID} now, the order saw ${pin.containerID ?? ''}`,
    );
  }
  if (status?.state.running === undefined || status.containerID === undefined) {
    return { state: 'waiting', message: `container ${container} is not running yet` };
  }
  if (content.spec.waitForReady && !status.ready) {
    return { state: 'waiting', message: `container ${container} is not Ready yet` };
  }
  return { state: 'ready' };
}
