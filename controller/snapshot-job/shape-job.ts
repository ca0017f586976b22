import { apiVersion, labels } from '../../core/api/names.ts';
import type { SnapshotJob } from '../../core/api/snapshot-job.ts';
import type { RawObject } from '../../runtime/kube-port.ts';
import { sourceJob, sourceTemplate } from '../source-job/job-object.ts';
import { shortHash } from '../source-job/short-hash.ts';

/** The Job to create, or why there can be none. */
export type ShapedSnapshotJob =
  | { readonly ok: true; readonly job: RawObject }
  | { readonly ok: false; readonly message: string };

/** By these its pod and its snapshot are found, the latter without an owner reference. */
export const snapshotJobLabels = ({ metadata }: SnapshotJob): Readonly<Record<string, string>> => ({
  [labels.snapshotJob]: metadata.name,
  [labels.jobUID]: metadata.uid,
});

/** The one container that is captured. */
export const targetContainer = ({ spec }: SnapshotJob): string =>
  spec.podSnapshotTemplate.targetContainers[0] ?? 'main';

/** An ID that no other object can have: a SnapshotJob shares its saved state with nobody. */
export const snapshotJobCheckpointID = ({ metadata }: SnapshotJob): string =>
  shortHash(metadata.uid);

/** The batch/v1 Job, of the SnapshotJob's name and owned by it. */
export function shapeSnapshotJob(snapshotJob: SnapshotJob, initImage: string): ShapedSnapshotJob {
  const { metadata, spec } = snapshotJob;
  const checkpointID = snapshotJobCheckpointID(snapshotJob);
  const shaped = sourceTemplate(spec.podTemplate, {
    targetContainerName: targetContainer(snapshotJob),
    checkpointID,
    ownerUID: metadata.uid,
    labels: snapshotJobLabels(snapshotJob),
    readiness: spec.readiness,
    initImage,
    sharedMemorySize: undefined,
  });
  if (!shaped.ok) {
    const message =
      shaped.reason === 'NoTemplate' ? `spec.podTemplate ${shaped.message}` : shaped.message;
    return { ok: false, message };
  }
  return {
    ok: true,
    job: sourceJob({
      name: metadata.name,
      namespace: metadata.namespace,
      labels: {
        ...snapshotJobLabels(snapshotJob),
        [labels.checkpointID]: checkpointID,
        [labels.owner]: metadata.uid,
      },
      owner: {
        apiVersion,
        kind: 'SnapshotJob',
        name: metadata.name,
        uid: metadata.uid,
        controller: true,
      },
      activeDeadlineSeconds: spec.activeDeadlineSeconds,
      // The cluster must not collect the Job before its end is on record.
      ttlSecondsAfterFinished: undefined,
      template: shaped.template,
    }),
  };
}
