import type { DynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import { apiVersion, checkpointJobName, labels } from '../../core/api/names.ts';
import type { FailureReason } from '../../core/api/reasons.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { parsePodTemplate } from './pod-template.ts';
import { shapeTemplate } from './shape-template.ts';

/** The Job to create, or why there can be none. */
export type ShapedJob =
  | { readonly ok: true; readonly job: RawObject }
  | { readonly ok: false; readonly reason: FailureReason; readonly message: string };

/** The owner reference of everything that a checkpoint makes; the cluster collects it with the checkpoint. */
export function ownerReference(checkpoint: DynamoCheckpoint): RawObject {
  return {
    apiVersion,
    kind: 'DynamoCheckpoint',
    name: checkpoint.metadata.name,
    uid: checkpoint.metadata.uid,
    controller: true,
  };
}

/**
 * The batch/v1 Job of one attempt. It never retries by itself: a restarted pod would be another process than the one
 * that is captured, so a retry is a fresh Job of the next attempt.
 */
export function shapeJob(
  checkpoint: DynamoCheckpoint,
  checkpointID: string,
  attempt: number,
): ShapedJob {
  const { job } = checkpoint.spec;
  const parsed = parsePodTemplate(job.podTemplateSpec);
  if (!parsed.ok) {
    return {
      ok: false,
      reason: 'JobRejected',
      message: `spec.job.podTemplateSpec is no pod template: ${parsed.message}.`,
    };
  }
  const { disabled, size } = job.sharedMemory;
  const template = shapeTemplate(parsed.value, {
    targetContainerName: job.targetContainerName,
    checkpointID,
    ownerUID: checkpoint.metadata.uid,
    readiness: job.readiness,
    sharedMemorySize: disabled ? undefined : size,
  });
  if (template === undefined) {
    const names = parsed.value.spec.containers.map(({ name }) => name).join(', ');
    return {
      ok: false,
      reason: 'InvalidTargetContainer',
      message: `The pod template has no container ${job.targetContainerName}; it has: ${names}.`,
    };
  }
  return {
    ok: true,
    job: {
      apiVersion: 'batch/v1',
      kind: 'Job',
      metadata: {
        name: checkpointJobName(checkpointID, attempt),
        namespace: checkpoint.metadata.namespace,
        labels: {
          [labels.checkpointID]: checkpointID,
          [labels.owner]: checkpoint.metadata.uid,
        },
        ownerReferences: [ownerReference(checkpoint)],
      },
      spec: {
        backoffLimit: 0,
        activeDeadlineSeconds: job.activeDeadlineSeconds,
        ...(job.ttlSecondsAfterFinished === undefined
          ? {}
          : { ttlSecondsAfterFinished: job.ttlSecondsAfterFinished }),
        template,
      },
    },
  };
}
