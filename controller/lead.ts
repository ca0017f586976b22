import type { Metadata } from '../core/api/metadata.ts';
import { sleep } from '../core/clock.ts';
import { type Failure, isFailure } from '../core/failure.ts';
import type { EventRecorder } from '../runtime/events.ts';
import { type Kube, type ServerClock, serverNow } from '../runtime/kube-port.ts';
import { cacheKey } from '../runtime/raw-object.ts';
import type { Next, Reconciler } from '../runtime/reconciler.ts';
import { runReconciler } from '../runtime/reconciler.ts';
import type { CacheDeps, ControllerCaches, Wake } from './caches.ts';
import { checkpointReconcile } from './checkpoint/reconcile.ts';
import { contentReconcile } from './content/reconcile.ts';
import { FirstSeen } from './first-seen.ts';
import { Heartbeats } from './heartbeats.ts';
import { type CourseDeps, followCourses } from './metrics/course.ts';
import { OwnWrites } from './own-writes.ts';
import { SnapshotMemory } from './snapshot/memory.ts';
import { snapshotReconcile } from './snapshot/reconcile.ts';
import { snapshotJobReconcile } from './snapshot-job/reconcile.ts';

/** What leading needs from the process. */
export type LeadDeps = CacheDeps & {
  readonly kube: Kube & ServerClock;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly caches: ControllerCaches;
  readonly objects: CourseDeps['objects'];
  /** Where the agents' heartbeats are. */
  readonly namespace: string;
};

/** Objects of one kind worked on at the same time. */
const slots = 8;
/** Every key is looked at again after this long, whatever events were missed; spread by a fifth. */
const resyncMilliseconds = 300_000;
/** What a reconcile in the middle of a write gets on an orderly stop. */
const stopGraceMilliseconds = 5_000;

/** One reconcile a kind. */
export type Reconciles = Readonly<
  Record<keyof Wake, (key: string, signal: AbortSignal) => Promise<Next>>
>;

/** What the reconciles of all kinds remember and share begins anew with each call. */
export function reconciles(
  deps: Pick<LeadDeps, 'caches' | 'clock' | 'events' | 'kube' | 'namespace'>,
): Reconciles {
  const { caches, clock, kube } = deps;
  const shared = {
    ...{ kube, clock, ...caches, events: deps.events },
    ownCheckpoints: new OwnWrites(caches.checkpoints),
    ownSnapshotJobs: new OwnWrites(caches.snapshotJobs),
    ownSnapshots: new OwnWrites(caches.snapshots),
    heartbeats: new Heartbeats(kube, clock, deps.namespace),
    memory: new SnapshotMemory(clock),
    readySince: new FirstSeen(clock),
    completedSince: new FirstSeen(clock),
    snapshotFailedSince: new FirstSeen(clock),
    serverMilliseconds: () =>
      serverNow(kube, clock.monotonicMilliseconds()) ?? clock.wallMilliseconds(),
  };
  return {
    checkpoint: checkpointReconcile(shared),
    snapshot: snapshotReconcile(shared),
    content: contentReconcile(shared),
    snapshotJob: snapshotJobReconcile(shared),
  };
}

/** What runs while this process leads. */
export type Leadership = {
  readonly wake: Wake;
  /** Runs until the signal aborts; rejects when a reconcile found that we no longer lead. */
  readonly run: (signal: AbortSignal) => Promise<void>;
};

/** Makes the queues and reconciles of one term of leadership. Nothing runs before `run`'s first resync but what is woken. */
export function leadership(deps: LeadDeps): Leadership {
  const fenced = Promise.withResolvers<never>();
  const start = (name: keyof Wake, reconcile: Reconciles[keyof Wake]): Reconciler => {
    const { clock, log, metrics, random } = deps;
    const made = runReconciler({
      ...{ name, slots, clock, log, random, reconcile },
      queueObserver: metrics.queueObserver(name),
      ended: metrics.reconcileEnded(name),
      fenced: (failure: Failure) => fenced.reject(failure),
    });
    metrics.watchQueue(name, made.queue);
    return made;
  };
  const courses = followCourses(deps);
  const work = reconciles({ ...deps, kube: courses.kube });
  const checkpoint = start('checkpoint', work.checkpoint);
  const snapshot = start('snapshot', work.snapshot);
  const content = start('content', work.content);
  const snapshotJob = start('snapshotJob', work.snapshotJob);
  const queues = { checkpoint, snapshot, content, snapshotJob };
  return {
    wake: {
      checkpoint: (key) => {
        courses.changed.checkpoint(key);
        checkpoint.add(key);
      },
      snapshot: (key) => {
        courses.changed.snapshot(key);
        snapshot.add(key);
      },
      content: (key) => {
        courses.changed.content(key);
        content.add(key);
      },
      snapshotJob: (key) => {
        courses.changed.snapshotJob(key);
        snapshotJob.add(key);
      },
    },
    run: async (signal) => {
      const stopped = resync(deps, queues, signal);
      try {
        await Promise.race([stopped, fenced.promise]);
      } finally {
        // Who lost the lease writes nothing more, not even the rest of a reconcile: a successor may be at work.
        const lost = !signal.aborted || isFailure(signal.reason, 'fenced');
        await Promise.all(
          Object.values(queues).map((one) => one.stop(lost ? 0 : stopGraceMilliseconds)),
        );
      }
    },
  };
}

const keysOf = (objects: readonly { readonly metadata: Metadata }[]): readonly string[] =>
  objects.map(({ metadata }) => cacheKey(metadata.namespace ?? '', metadata.name));

/** Adds every key there is, now and again and again until the signal aborts. */
async function resync(
  { caches, clock, random }: LeadDeps,
  queues: Readonly<Record<keyof Wake, Reconciler>>,
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    for (const key of keysOf(caches.checkpoints.list())) queues.checkpoint.add(key);
    for (const key of keysOf(caches.snapshotJobs.list())) queues.snapshotJob.add(key);
    for (const key of keysOf(caches.snapshots.list())) queues.snapshot.add(key);
    for (const key of keysOf(caches.contents.list())) queues.content.add(key);
    // Rejects only when the signal aborts, which ends the loop.
    await sleep(clock, resyncMilliseconds * (0.9 + 0.2 * random()), signal).catch(() => {});
  }
}
