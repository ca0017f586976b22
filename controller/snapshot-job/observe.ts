import { isTrue } from '../../core/api/conditions.ts';
import { kinds } from '../../core/api/kinds.ts';
import { type PodSnapshot, parsePodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { SnapshotJob } from '../../core/api/snapshot-job.ts';
import { isJobOver, type Job, type Pod, parseJob } from '../../core/api/workload.ts';
import type { Kube } from '../../runtime/kube-port.ts';
import type { ObjectReader } from '../../runtime/object-cache.ts';
import { cacheKey } from '../../runtime/raw-object.ts';
import type { FirstSeen } from '../first-seen.ts';
import type { OwnWrites } from '../own-writes.ts';
import { isOwnedBy } from '../ownership.ts';
import { read } from '../read.ts';
import { podOfJob } from '../source-job/pod-of-job.ts';
import { ageOf, foreignSighting, type Sighting } from '../source-job/sighting.ts';
import type { ObservedSnapshotJob, SnapshotJobPhase } from './observed.ts';
import { shapeSnapshotJob } from './shape-job.ts';
import { isSnapshotOfJob } from './snapshot-object.ts';

/** What the observation of SnapshotJobs reads. */
export type SnapshotJobSources = {
  readonly kube: Kube;
  /** The image with the static init, which the source's readiness probe is done with. */
  readonly initImage: string;
  readonly snapshotJobs: ObjectReader<SnapshotJob, 'uid'>;
  readonly ownSnapshotJobs: OwnWrites<SnapshotJob>;
  readonly jobs: ObjectReader<Job, 'owner'>;
  readonly pods: ObjectReader<Pod, 'job'>;
  readonly snapshots: ObjectReader<PodSnapshot, 'owner' | 'pod'>;
  /** Since when SnapshotJobs are Completed, by key. */
  readonly completedSince: FirstSeen;
  /** Since when their snapshots are Failed, by key. */
  readonly snapshotFailedSince: FirstSeen;
  /** The API server's time, as far as it is known. */
  readonly serverMilliseconds: () => number;
};

/** The cluster enforces the Job's deadline; only when it does not do so within this time do we. */
const deadlineGraceMilliseconds = 60_000;

/** How far a SnapshotJob is, from its status alone. */
export function phaseOf({ status }: SnapshotJob): SnapshotJobPhase {
  if (isTrue(status.conditions, 'Failed')) return 'Failed';
  if (isTrue(status.conditions, 'Completed')) return 'Completed';
  if (status.podSnapshotUID !== undefined) return 'Capturing';
  return status.sourceJobUID === undefined ? 'New' : 'Started';
}

/** Reads what is known of a SnapshotJob; undefined when the cache has none of that name. */
export async function observeSnapshotJob(
  sources: SnapshotJobSources,
  key: string,
  signal: AbortSignal,
): Promise<ObservedSnapshotJob | undefined> {
  const snapshotJob = sources.ownSnapshotJobs.get(key);
  const phase = snapshotJob === undefined ? undefined : phaseOf(snapshotJob);
  const sinceCompletedMilliseconds = sources.completedSince.since(key, phase === 'Completed');
  if (snapshotJob === undefined || phase === undefined) {
    sources.snapshotFailedSince.since(key, false);
    return undefined;
  }
  const deleting = snapshotJob.metadata.deletionTimestamp !== undefined;
  const base = {
    ...{ phase, deleting, snapshotJob, sinceCompletedMilliseconds },
    shaped: shapeSnapshotJob(snapshotJob, sources.initImage),
    sinceSnapshotFailedMilliseconds: 0,
    ...{ rejection: undefined, quota: undefined, snapshotAgeMilliseconds: 0 },
  };
  if (phase !== 'Capturing') sources.snapshotFailedSince.since(key, false);
  const unread = { state: 'unread' } as const;
  if (deleting || phase === 'Failed' || phase === 'Completed') {
    const nothing = { pod: undefined, leftMilliseconds: undefined, snapshot: unread };
    const left = deleting ? unread : leftoverJob(sources, snapshotJob);
    return Object.freeze({ ...base, ...nothing, job: left });
  }
  const job = await sightJob(sources, snapshotJob, phase === 'New', signal);
  const pod = job.state === 'ours' ? podOfJob(sources.pods, job.object) : undefined;
  const leftMilliseconds = timeLeft(sources, snapshotJob, phase, job);
  const ended = job.state !== 'ours' || isJobOver(job.object) || (leftMilliseconds ?? 0) < 0;
  const snapshot = await sightSnapshot(sources, { snapshotJob, phase, pod, ended }, signal);
  const hasFailed =
    snapshot.state === 'ours' && isTrue(snapshot.object.status.conditions, 'Failed');
  const sinceSnapshotFailedMilliseconds = sources.snapshotFailedSince.since(key, hasFailed);
  const snapshotAgeMilliseconds = ageOf(snapshot, sources.serverMilliseconds());
  const seen = { job, pod, leftMilliseconds, snapshot, sinceSnapshotFailedMilliseconds };
  return Object.freeze({ ...base, ...seen, snapshotAgeMilliseconds });
}

function isOurs(snapshotJob: SnapshotJob, { metadata }: Job): boolean {
  const pinned = snapshotJob.status.sourceJobUID ?? metadata.uid;
  return metadata.uid === pinned && isOwnedBy(metadata, snapshotJob.metadata.uid);
}

/** The Job of one that has ended, from the cache alone: all there may be to do is to delete it. */
function leftoverJob(sources: SnapshotJobSources, snapshotJob: SnapshotJob): Sighting<Job> {
  const object = sources.jobs
    .byIndex('owner', snapshotJob.metadata.uid)
    .find(({ metadata }) => metadata.deletionTimestamp === undefined);
  return object === undefined ? { state: 'unread' } : { state: 'ours', object };
}

async function sightJob(
  sources: SnapshotJobSources,
  snapshotJob: SnapshotJob,
  uncached: boolean,
  signal: AbortSignal,
): Promise<Sighting<Job>> {
  const { name, namespace = '' } = snapshotJob.metadata;
  const cached = uncached ? undefined : sources.jobs.get(cacheKey(namespace, name));
  const job =
    cached !== undefined && isOurs(snapshotJob, cached)
      ? cached
      : await read(sources.kube, { kind: kinds.job, namespace, name }, parseJob, signal);
  if (job === undefined) return { state: 'missing' };
  return isOurs(snapshotJob, job)
    ? { state: 'ours', object: job }
    : foreignSighting(sources.snapshotJobs, 'SnapshotJob', job.metadata);
}

/** Of the Job's own time where there is a Job; before that of the time that it would have had. */
function timeLeft(
  sources: SnapshotJobSources,
  { metadata, spec }: SnapshotJob,
  phase: SnapshotJobPhase,
  job: Sighting<Job>,
): number | undefined {
  if (job.state !== 'ours' && phase !== 'New') return undefined;
  const { creationTimestamp } = job.state === 'ours' ? job.object.metadata : metadata;
  const createdAt = Date.parse(creationTimestamp);
  if (Number.isNaN(createdAt)) return deadlineGraceMilliseconds;
  const end = createdAt + spec.activeDeadlineSeconds * 1000 + deadlineGraceMilliseconds;
  return end - sources.serverMilliseconds();
}

type Wanted = {
  readonly snapshotJob: SnapshotJob;
  readonly phase: SnapshotJobPhase;
  readonly pod: Pod | undefined;
  /** A verdict about the Job is near, so the look at the snapshot must not be from the cache. */
  readonly ended: boolean;
};

/** Without an owner reference the snapshot is known by the UID on record, or before that by labels and source. */
async function sightSnapshot(
  sources: SnapshotJobSources,
  { snapshotJob, phase, pod, ended }: Wanted,
  signal: AbortSignal,
): Promise<Sighting<PodSnapshot>> {
  const { name, namespace = '' } = snapshotJob.metadata;
  const pinned = snapshotJob.status.podSnapshotUID;
  const isCurrent = (snapshot: PodSnapshot): boolean =>
    pinned === undefined
      ? phase === 'Started' && isSnapshotOfJob(snapshotJob, pod, snapshot)
      : snapshot.metadata.uid === pinned;
  const cached = sources.snapshots.get(cacheKey(namespace, name));
  if (cached !== undefined && isCurrent(cached)) {
    const { conditions } = cached.status;
    const settled = isTrue(conditions, 'Ready') || isTrue(conditions, 'Failed');
    if (settled || !ended) return { state: 'ours', object: cached };
  }
  // A new one looks before it runs anything, but not harder than the cache does: later looks are uncached.
  const needed =
    phase === 'New' ? cached !== undefined : ended || pod !== undefined || phase === 'Capturing';
  if (!needed) return { state: 'unread' };
  const key = { kind: kinds.podSnapshot, namespace, name };
  const snapshot = await read(sources.kube, key, parsePodSnapshot, signal);
  if (snapshot === undefined) return { state: 'missing' };
  if (isCurrent(snapshot)) return { state: 'ours', object: snapshot };
  return { state: 'foreign', name, leaving: snapshot.metadata.deletionTimestamp !== undefined };
}
