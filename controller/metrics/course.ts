import type { Kind } from '../../core/api/kinds.ts';
import { kinds } from '../../core/api/kinds.ts';
import type { Metadata } from '../../core/api/metadata.ts';
import type { Clock } from '../../core/clock.ts';
import { type Kube, type ServerClock, serverNow } from '../../runtime/kube-port.ts';
import type { ObjectReader } from '../../runtime/object-cache.ts';
import { cacheKey } from '../../runtime/raw-object.ts';
import type { Wake } from '../caches.ts';
import { countingKube } from './counting-kube.ts';
import { Milestones } from './milestones.ts';
import type { CountedCaches } from './object-gauges.ts';
import type { ObjectMetrics } from './object-metrics.ts';
import {
  checkpointStanding,
  contentStanding,
  podRestoreStanding,
  type Standing,
  snapshotJobStanding,
  snapshotStanding,
} from './standing.ts';

/** What following objects needs. */
export type CourseDeps = {
  readonly kube: Kube & ServerClock;
  readonly clock: Clock;
  readonly caches: CountedCaches;
  readonly objects: ObjectMetrics;
};

/** Follows all objects while this process leads. */
export type Courses = {
  /** The API server to write to, so that writes are counted. */
  readonly kube: Kube & ServerClock;
  /** To be called with the key of each change, after the cache has it. */
  readonly changed: Wake;
};

/** Starts with what the caches hold: its past is not reported. */
export function followCourses({ kube, clock, caches, objects }: CourseDeps): Courses {
  const serverMilliseconds = (): number =>
    serverNow(kube, clock.monotonicMilliseconds()) ?? clock.wallMilliseconds();
  const follow = <T extends { readonly metadata: Metadata }>(
    kind: Kind,
    cache: Pick<ObjectReader<T, never>, 'get' | 'list'>,
    standingOf: (object: T) => Standing,
  ) => {
    const observer = objects.milestones(kind.kind);
    const milestones = new Milestones(clock, serverMilliseconds, observer);
    for (const object of cache.list()) {
      const { namespace = '', name } = object.metadata;
      milestones.found(cacheKey(namespace, name), standingOf(object));
    }
    const changed = (key: string): void => {
      const object = cache.get(key);
      milestones.look(key, object === undefined ? undefined : standingOf(object));
    };
    return { milestones, changed };
  };
  const checkpoint = follow(kinds.dynamoCheckpoint, caches.checkpoints, checkpointStanding);
  const snapshot = follow(kinds.podSnapshot, caches.snapshots, snapshotStanding);
  const content = follow(kinds.podSnapshotContent, caches.contents, contentStanding);
  const snapshotJob = follow(kinds.snapshotJob, caches.snapshotJobs, snapshotJobStanding);
  const podRestore = follow(kinds.podRestore, caches.podRestores, podRestoreStanding);
  const byKind = new Map<string, Milestones>([
    [kinds.dynamoCheckpoint.kind, checkpoint.milestones],
    [kinds.podSnapshot.kind, snapshot.milestones],
    [kinds.podSnapshotContent.kind, content.milestones],
    [kinds.snapshotJob.kind, snapshotJob.milestones],
    [kinds.podRestore.kind, podRestore.milestones],
  ]);
  return {
    kube: countingKube(kube, {
      sent: (kind, key, operation) =>
        byKind.get(kind.kind)?.sent(key, operation === 'create' ? 'create' : 'other'),
      answered: objects.answered,
    }),
    changed: {
      checkpoint: checkpoint.changed,
      snapshot: snapshot.changed,
      content: content.changed,
      snapshotJob: snapshotJob.changed,
      podRestore: podRestore.changed,
    },
  };
}
