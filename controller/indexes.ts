import { progressOf } from '../core/api/conditions.ts';
import type { DynamoCheckpoint } from '../core/api/dynamo-checkpoint.ts';
import type { Metadata } from '../core/api/metadata.ts';
import type { PodRestore } from '../core/api/pod-restore.ts';
import type { PodSnapshot } from '../core/api/pod-snapshot.ts';
import type { PodSnapshotContent } from '../core/api/pod-snapshot-content.ts';
import type { SnapshotJob } from '../core/api/snapshot-job.ts';
import type { Job, Pod } from '../core/api/workload.ts';
import type { Indexes } from '../runtime/object-cache.ts';
import { cacheKey } from '../runtime/raw-object.ts';
import { idIndexValue } from './checkpoint/observe.ts';
import { ownerOf } from './ownership.ts';

type Stored = { readonly metadata: Metadata };

const ownerUIDs =
  (...kinds: readonly string[]) =>
  ({ metadata }: Stored): readonly string[] =>
    kinds.flatMap((kind) => ownerOf(metadata, kind)?.uid ?? []);

/** Checkpoints by `namespace/checkpointID` and by UID. */
export const checkpointIndexFunctions: Indexes<DynamoCheckpoint, 'id' | 'uid'> = {
  id: (checkpoint) => [idIndexValue(checkpoint)],
  uid: ({ metadata }) => [metadata.uid],
};

/** SnapshotJobs by UID. */
export const snapshotJobIndexFunctions: Indexes<SnapshotJob, 'uid'> = {
  uid: ({ metadata }) => [metadata.uid],
};

/** Jobs by the UID of the checkpoint or SnapshotJob that owns them. */
export const jobIndexFunctions: Indexes<Job, 'owner'> = {
  owner: ownerUIDs('DynamoCheckpoint', 'SnapshotJob'),
};

/** Pods by the UID of their Job. */
export const podIndexFunctions: Indexes<Pod, 'job'> = { job: ownerUIDs('Job') };

/** Snapshots by the UID of the checkpoint that owns them, and by `namespace/name` of the pod that they capture. */
export const snapshotIndexFunctions: Indexes<PodSnapshot, 'owner' | 'pod'> = {
  owner: ownerUIDs('DynamoCheckpoint'),
  pod: ({ metadata, spec }) => {
    const { podRef } = spec.source;
    return podRef === undefined ? [] : [cacheKey(metadata.namespace ?? '', podRef.name)];
  },
};

/** PodRestores by `namespace/name` of their snapshot, and by what they wait for, where that is a node. */
export const podRestoreIndexFunctions: Indexes<PodRestore, 'snapshot' | 'waiting'> = {
  snapshot: ({ metadata, spec }) => [cacheKey(metadata.namespace ?? '', spec.snapshotName)],
  waiting: ({ status }) =>
    progressOf(status.conditions)?.reason === 'WaitingForNode' ? ['node'] : [],
};

/** Contents are only found by name. */
export const contentIndexFunctions: Indexes<PodSnapshotContent, never> = {};
