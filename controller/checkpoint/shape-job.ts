import type { DynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import { apiVersion, checkpointJobName, labels } from '../../core/api/names.ts';
import type { FailureReason } from '../../core/api/reasons.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { sourceJob, sourceTemplate } from '../source-job/job-object.ts';

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

/** The batch/v1 Job of one attempt; a retry is a fresh Job of the next attempt. */
export function shapeJob(
  checkpoint: DynamoCheckpoint,
  checkpointID: string,
  attempt: number,
  initImage: string,
): ShapedJob {
  const { job } = checkpoint.spec;
  const { disabled, size } = job.sharedMemory;
  const shaped = sourceTemplate(job.podTemplateSpec, {
    targetContainerName: job.targetContainerName,
    checkpointID,
    ownerUID: checkpoint.metadata.uid,
    labels: {},
    readiness: job.readiness,
    initImage,
    sharedMemorySize: disabled ? undefined : size,
  });
  if (!shaped.ok) {
    return shaped.reason === 'NoTemplate'
      ? { ok: false, reason: 'JobRejected', message: `spec.job.podTemplateSpec ${shaped.message}` }
      : { ok: false, reason: 'InvalidTargetContainer', message: shaped.message };
  }
  return {
    ok: true,
    job: sourceJob({
      name: checkpointJobName(checkpointID, attempt),
      namespace: checkpoint.metadata.namespace,
      labels: { [labels.checkpointID]: checkpointID, [labels.owner]: checkpoint.metadata.uid },
      owner: ownerReference(checkpoint),
      activeDeadlineSeconds: job.activeDeadlineSeconds,
      ttlSecondsAfterFinished: job.ttlSecondsAfterFinished,
      template: shaped.template,
    }),
  };
}
