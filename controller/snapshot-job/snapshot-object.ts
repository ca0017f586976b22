import { apiVersion, finalizers, labels } from '../../core/api/names.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { SnapshotJob } from '../../core/api/snapshot-job.ts';
import type { Pod } from '../../core/api/workload.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { snapshotJobCheckpointID, snapshotJobLabels, targetContainer } from './shape-job.ts';

/** The longest deadline that a PodSnapshot takes, in seconds. */
const longestDeadlineSeconds = 604_800;

/** The PodSnapshot, pinned to this pod. Deliberately without an owner reference: what is captured outlives the SnapshotJob. */
export function snapshotOfJob(snapshotJob: SnapshotJob, pod: Pod): RawObject {
  const { metadata, spec } = snapshotJob;
  return {
    apiVersion,
    kind: 'PodSnapshot',
    metadata: {
      name: metadata.name,
      namespace: metadata.namespace,
      labels: {
        ...snapshotJobLabels(snapshotJob),
        [labels.checkpointID]: snapshotJobCheckpointID(snapshotJob),
      },
      finalizers: [finalizers.snapshot],
    },
    spec: {
      source: {
        podRef: {
          name: pod.metadata.name,
          uid: pod.metadata.uid,
          containers: [targetContainer(snapshotJob)],
        },
      },
      deadlineSeconds: Math.min(spec.activeDeadlineSeconds, longestDeadlineSeconds),
    },
  };
}

/** Made by this SnapshotJob of its own source. Labels can be written by anybody, so the immutable source is compared too. */
export function isSnapshotOfJob(
  snapshotJob: SnapshotJob,
  pod: Pod | undefined,
  { metadata, spec }: PodSnapshot,
): boolean {
  if (metadata.labels[labels.jobUID] !== snapshotJob.metadata.uid) return false;
  const { podRef } = spec.source;
  if (podRef?.uid === undefined) return false;
  if (podRef.containers.join() !== targetContainer(snapshotJob)) return false;
  // The pod of a Job that ended may be gone; what it was captured as must still be found then.
  return (
    pod === undefined || (podRef.name === pod.metadata.name && podRef.uid === pod.metadata.uid)
  );
}
