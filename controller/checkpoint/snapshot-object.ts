import type { DynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import { apiVersion, finalizers, labels } from '../../core/api/names.ts';
import type { Pod } from '../../core/api/workload.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { ownerReference } from './shape-job.ts';

/** The longest deadline that a PodSnapshot takes, in seconds. */
const longestDeadlineSeconds = 604_800;

/** The PodSnapshot of one attempt: owned, pinned to this pod and this Job, its finalizer there from the first moment. */
export function snapshotObject(
  checkpoint: DynamoCheckpoint,
  names: { readonly snapshot: string; readonly checkpointID: string; readonly jobUID: string },
  pod: Pod,
): RawObject {
  const { job } = checkpoint.spec;
  return {
    apiVersion,
    kind: 'PodSnapshot',
    metadata: {
      name: names.snapshot,
      namespace: checkpoint.metadata.namespace,
      labels: {
        [labels.owner]: checkpoint.metadata.uid,
        [labels.checkpointID]: names.checkpointID,
        [labels.jobUID]: names.jobUID,
      },
      finalizers: [finalizers.snapshot],
      ownerReferences: [ownerReference(checkpoint)],
    },
    spec: {
      source: {
        podRef: {
          name: pod.metadata.name,
          uid: pod.metadata.uid,
          containers: [job.targetContainerName],
        },
      },
      deadlineSeconds: Math.min(job.activeDeadlineSeconds, longestDeadlineSeconds),
    },
  };
}
