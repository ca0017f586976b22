import { isTrue } from '../../core/api/conditions.ts';
import type { DynamoCheckpoint } from '../../core/api/dynamo-checkpoint.ts';
import { kinds } from '../../core/api/kinds.ts';
import { checkpointJobName, labels } from '../../core/api/names.ts';
import { type PodSnapshot, parsePodSnapshot } from '../../core/api/pod-snapshot.ts';
import { isJobOver, type Job, type Pod, parseJob } from '../../core/api/workload.ts';
import type { Kube } from '../../runtime/kube-port.ts';
import type { ObjectReader } from '../../runtime/object-cache.ts';
import { cacheKey } from '../../runtime/raw-object.ts';
import type { FirstSeen } from '../first-seen.ts';
import type { OwnWrites } from '../own-writes.ts';
import { isOwnedBy } from '../ownership.ts';
import { parsedOrRetry, read } from '../read.ts';
import { podOfJob } from '../source-job/pod-of-job.ts';
import { ageOf, foreignSighting, type Sighting } from '../source-job/sighting.ts';
import { type CheckpointIDs, checkpointIDs } from './identity-hash.ts';
import type { ObservedCheckpoint } from './observed.ts';
import { shapeJob } from './shape-job.ts';

/** What the observation of checkpoints reads. */
export type CheckpointSources = {
  readonly kube: Kube;
  /** The image with the static init, which the source's readiness probe is done with. */
  readonly initImage: string;
  readonly checkpoints: ObjectReader<DynamoCheckpoint, 'id' | 'uid'>;
  readonly ownCheckpoints: OwnWrites<DynamoCheckpoint>;
  readonly jobs: ObjectReader<Job, 'owner'>;
  readonly pods: ObjectReader<Pod, 'job'>;
  readonly snapshots: ObjectReader<PodSnapshot, 'owner'>;
  /** Since when checkpoints are Ready, by key. */
  readonly readySince: FirstSeen;
  /** The API server's time in milliseconds since the epoch. */
  readonly serverMilliseconds: () => number;
};

/** The value of the index `id`. */
export const idIndexValue = (checkpoint: DynamoCheckpoint): string =>
  `${checkpoint.metadata.namespace}/${checkpointIDs(checkpoint).checkpointID}`;

/** The attempt that a Job name stands for; 0 for the first, and for a name that is not of this checkpoint ID. */
export function attemptOf(jobName: string | undefined, checkpointID: string): number {
  const prefix = `${checkpointJobName(checkpointID)}-r`;
  if (jobName?.startsWith(prefix) !== true) return 0;
  const attempt = Number(jobName.slice(prefix.length));
  return Number.isSafeInteger(attempt) && attempt > 0 ? attempt : 0;
}

/** Reads what is known of a checkpoint; undefined when the cache has none of that name. */
export async function observeCheckpoint(
  sources: CheckpointSources,
  key: string,
  signal: AbortSignal,
): Promise<ObservedCheckpoint | undefined> {
  const checkpoint = sources.ownCheckpoints.get(key);
  if (checkpoint === undefined) {
    sources.readySince.since(key, false);
    return undefined;
  }
  const ids = checkpointIDs(checkpoint);
  const attempt = attemptOf(checkpoint.status.jobName, ids.checkpointID);
  const phase = checkpoint.status.phase ?? 'Pending';
  const jobName = checkpointJobName(ids.checkpointID, attempt);
  const suffix = attempt > 0 ? `-r${attempt}` : '';
  const base = {
    phase,
    deleting: checkpoint.metadata.deletionTimestamp !== undefined,
    checkpoint,
    ids,
    attempt,
    jobName,
    snapshotName: `${checkpoint.metadata.name}${suffix}`,
    older: olderTwin(sources, checkpoint, ids),
    shaped: shapeJob(checkpoint, ids.checkpointID, attempt, sources.initImage),
    leftoverJobs: leftoverJobs(sources, checkpoint, jobName),
    sinceReadyMilliseconds: sources.readySince.since(key, phase === 'Ready'),
    ...{ rejection: undefined, quota: undefined, snapshotAgeMilliseconds: 0 },
  };
  const unread = { state: 'unread' } as const;
  if (base.deleting || phase === 'Failed') {
    return Object.freeze({ ...base, job: unread, snapshot: unread, pod: undefined });
  }
  if (phase === 'Ready') {
    const snapshot = await sightCaptured(sources, checkpoint, signal);
    return Object.freeze({ ...base, job: unread, snapshot, pod: undefined });
  }
  if (phase === 'Pending') {
    const job = await sightJob(sources, checkpoint, jobName, true, signal);
    return Object.freeze({ ...base, job, snapshot: unread, pod: undefined });
  }
  const job = await sightJob(sources, checkpoint, jobName, false, signal);
  const pod = job.state === 'ours' ? podOfJob(sources.pods, job.object) : undefined;
  const wanted = { name: base.snapshotName, job, pod };
  const snapshot = await sightSnapshot(sources, checkpoint, wanted, signal);
  const snapshotAgeMilliseconds = ageOf(snapshot, sources.serverMilliseconds());
  return Object.freeze({ ...base, job, snapshot, pod, snapshotAgeMilliseconds });
}

/** The snapshot that a Ready checkpoint stands for. That it is gone is the API server's word. */
async function sightCaptured(
  sources: CheckpointSources,
  checkpoint: DynamoCheckpoint,
  signal: AbortSignal,
): Promise<Sighting<PodSnapshot>> {
  const { uid, namespace = '' } = checkpoint.metadata;
  const name = checkpoint.status.podSnapshotName;
  if (name === undefined) return { state: 'unread' };
  const isIt = ({ metadata }: PodSnapshot): boolean =>
    metadata.name === name && isOwnedBy(metadata, uid);
  const cached = sources.snapshots.byIndex('owner', uid).find(isIt);
  if (cached !== undefined) return { state: 'ours', object: cached };
  const key = { kind: kinds.podSnapshot, namespace, name };
  const found = await read(sources.kube, key, parsePodSnapshot, signal);
  return found !== undefined && isIt(found)
    ? { state: 'ours', object: found }
    : { state: 'missing' };
}

function olderTwin(
  sources: CheckpointSources,
  checkpoint: DynamoCheckpoint,
  ids: CheckpointIDs,
): string | undefined {
  const index = `${checkpoint.metadata.namespace}/${ids.checkpointID}`;
  const age = ({ metadata }: DynamoCheckpoint): string =>
    `${metadata.creationTimestamp} ${metadata.uid}`;
  return sources.checkpoints
    .byIndex('id', index)
    .find(
      (other) =>
        other.metadata.uid !== checkpoint.metadata.uid &&
        other.metadata.deletionTimestamp === undefined &&
        other.status.phase !== 'Failed' &&
        age(other) < age(checkpoint),
    )?.metadata.name;
}

function leftoverJobs(
  sources: CheckpointSources,
  checkpoint: DynamoCheckpoint,
  jobName: string,
): readonly Job[] {
  const { phase } = checkpoint.status;
  return sources.jobs
    .byIndex('owner', checkpoint.metadata.uid)
    .filter(({ metadata }) => metadata.deletionTimestamp === undefined)
    .filter(({ metadata }) => phase === 'Ready' || phase === 'Failed' || metadata.name !== jobName);
}

async function sightJob(
  sources: CheckpointSources,
  checkpoint: DynamoCheckpoint,
  name: string,
  uncached: boolean,
  signal: AbortSignal,
): Promise<Sighting<Job>> {
  const namespace = checkpoint.metadata.namespace ?? '';
  const cached = uncached ? undefined : sources.jobs.get(cacheKey(namespace, name));
  const job =
    cached !== undefined && isOwnedBy(cached.metadata, checkpoint.metadata.uid)
      ? cached
      : await read(sources.kube, { kind: kinds.job, namespace, name }, parseJob, signal);
  if (job === undefined) return { state: 'missing' };
  return isOwnedBy(job.metadata, checkpoint.metadata.uid)
    ? { state: 'ours', object: job }
    : foreignSighting(sources.checkpoints, 'DynamoCheckpoint', job.metadata);
}

type Wanted = {
  readonly name: string;
  readonly job: Sighting<Job>;
  readonly pod: Pod | undefined;
};

/** A verdict about a Job needs a look at the snapshot that is not from the cache. */
function jobEnded({ job }: Wanted): boolean {
  return job.state !== 'ours' || isJobOver(job.object);
}

/** The snapshot of this attempt is known by owner label, owner UID and the Job's UID, never by a rebuilt name. */
async function sightSnapshot(
  sources: CheckpointSources,
  checkpoint: DynamoCheckpoint,
  wanted: Wanted,
  signal: AbortSignal,
): Promise<Sighting<PodSnapshot>> {
  const { uid, namespace = '' } = checkpoint.metadata;
  const recorded = checkpoint.status.podSnapshotName;
  const jobUID = wanted.job.state === 'ours' ? wanted.job.object.metadata.uid : undefined;
  const isCurrent = ({ metadata }: PodSnapshot): boolean =>
    isOwnedBy(metadata, uid) &&
    (metadata.name === recorded ||
      (jobUID !== undefined && metadata.labels[labels.jobUID] === jobUID));
  const cached = sources.snapshots.byIndex('owner', uid).find(isCurrent);
  const settled =
    cached !== undefined &&
    (isTrue(cached.status.conditions, 'Ready') || isTrue(cached.status.conditions, 'Failed'));
  if (cached !== undefined && (settled || !jobEnded(wanted))) {
    return { state: 'ours', object: cached };
  }
  const needed = jobEnded(wanted) || recorded !== undefined || wanted.pod !== undefined;
  if (!needed) return { state: 'unread' };
  const labelSelector = `${labels.owner}=${uid}`;
  const selection = { kind: kinds.podSnapshot, namespace, labelSelector, limit: 100 };
  const page = await sources.kube.list(selection, signal);
  const found = page.items.map((item) => parsedOrRetry(parsePodSnapshot(item))).find(isCurrent);
  if (found !== undefined) return { state: 'ours', object: found };
  const key = { kind: kinds.podSnapshot, namespace, name: wanted.name };
  const namesake = await read(sources.kube, key, parsePodSnapshot, signal);
  if (namesake === undefined || isOwnedBy(namesake.metadata, uid)) return { state: 'missing' };
  return foreignSighting(sources.checkpoints, 'DynamoCheckpoint', namesake.metadata);
}
