import { findCondition, isTrue } from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import type { ControllerWorld } from './controller-world.ts';

/** When everything in these tests happened, for the API server. */
export const at = '2026-01-01T00:00:01Z';

/** A condition as an agent or the Job controller writes it. */
export const condition = (
  type: string,
  status: string,
  reason: string,
  message: string,
): RawObject => ({
  ...{ type, status, reason, message },
  lastTransitionTime: at,
});

/** What an agent writes when the capture succeeded. */
export const captured: RawObject = {
  stage: 'Captured',
  sourceState: 'Running',
  freezeMilliseconds: 90,
  startedAt: at,
  completedAt: '2026-01-01T00:00:02Z',
  attempts: 1,
  artifact: { digest: `sha256:${'b'.repeat(64)}`, sizeBytes: 20, storedBytes: 9, store: 'dir' },
  conditions: [
    condition('Failed', 'False', 'Captured', ''),
    condition('Ready', 'True', 'Captured', 'Captured.'),
  ],
};

/** A Job that ended well, as the API server takes it. */
export const completedJob: RawObject = {
  startTime: at,
  completionTime: '2026-01-01T00:00:03Z',
  succeeded: 1,
  active: 0,
  ready: 0,
  terminating: 0,
  uncountedTerminatedPods: {},
  conditions: [
    condition('SuccessCriteriaMet', 'True', 'CompletionsReached', ''),
    condition('Complete', 'True', 'CompletionsReached', ''),
  ],
};
/** One that failed. */
export const failedJob: RawObject = {
  startTime: at,
  failed: 1,
  conditions: [
    condition('FailureTarget', 'True', 'BackoffLimitExceeded', 'said the Job controller'),
    condition('Failed', 'True', 'BackoffLimitExceeded', 'said the Job controller'),
  ],
};
/** What an agent says of a capture that was cancelled. */
export const cancelled: RawObject = {
  stage: 'Failed',
  sourceState: 'Running',
  conditions: [
    condition('Ready', 'False', 'Cancelled', 'The source is running.'),
    condition('Failed', 'True', 'Cancelled', 'The source is running.'),
  ],
};

/** A PodSnapshot of a pod. */
export const snapshotOf = (name: string, podRef: RawObject, spec: RawObject = {}): RawObject => ({
  metadata: { name, namespace: 'default' },
  spec: { source: { podRef: { containers: ['main'], ...podRef } }, ...spec },
});

/** A DynamoCheckpoint with a template of one container. */
export const checkpointOf = (name: string, job: RawObject = {}): RawObject => ({
  metadata: { name, namespace: 'default' },
  spec: {
    job: {
      podTemplateSpec: { spec: { containers: [{ name: 'main', image: 'sample' }] } },
      ...job,
    },
  },
});

/** The order of a snapshot, once the snapshot is bound to it. */
export function boundContent(world: ControllerWorld, name: string): Promise<PodSnapshotContent> {
  return world.until(`${name} to be bound`, async () => {
    const bound = (await world.snapshot(name))?.status.boundSnapshotContentName;
    return bound === undefined ? undefined : world.content(bound);
  });
}

/** The Failed condition of a snapshot, once it is True. */
export function snapshotFailure(world: ControllerWorld, name: string) {
  return world.until(`${name} to fail`, async () => {
    const conditions = (await world.snapshot(name))?.status.conditions ?? [];
    return isTrue(conditions, 'Failed') ? findCondition(conditions, 'Failed') : undefined;
  });
}

/** The Failed condition of a checkpoint, once it has failed. */
export function checkpointFailure(world: ControllerWorld, name: string) {
  return world.until(`${name} to fail`, async () => {
    const status = (await world.checkpoint(name))?.status;
    return status?.phase === 'Failed' ? findCondition(status.conditions, 'Failed') : undefined;
  });
}

/** The name of the Job of a checkpoint, once there is one. */
export async function jobOf(world: ControllerWorld, checkpoint: string): Promise<string> {
  return world.until(`the Job of ${checkpoint}`, async () => {
    const status = (await world.checkpoint(checkpoint))?.status;
    return status?.phase === 'Creating' ? status.jobName : undefined;
  });
}

/** What the Job controller would do: the pod of a Job, on a node that nobody runs. */
export async function podOfJob(world: ControllerWorld, jobName: string): Promise<void> {
  const raw = await world.kube.get(
    { kind: kinds.job, namespace: 'default', name: jobName },
    AbortSignal.timeout(5_000),
  );
  const { metadata, spec } = JSON.parse(JSON.stringify(raw));
  await world.pod(`${jobName}-pod`, {
    labels: spec.template.metadata.labels,
    ownerReferences: [
      { apiVersion: 'batch/v1', kind: 'Job', name: jobName, uid: metadata.uid, controller: true },
    ],
  });
}
