import type { Metadata } from '../core/api/metadata.ts';
import { apiVersion, extensionApiVersion } from '../core/api/names.ts';
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
import { InvariantWatch } from './metrics/invariants.ts';
import { OwnWrites } from './own-writes.ts';
import { podRestoreReconcile } from './pod-restore/reconcile.ts';
import { SnapshotMemory } from './snapshot/memory.ts';
import { snapshotReconcile } from './snapshot/reconcile.ts';
import { snapshotJobReconcile } from './snapshot-job/reconcile.ts';
import { removeStaleHeartbeats } from './stale-heartbeats.ts';

/** What leading needs from the process. */
export type LeadDeps = CacheDeps & {
  readonly kube: Kube & ServerClock;
  readonly events: Pick<EventRecorder, 'record'>;
  readonly caches: ControllerCaches;
  readonly objects: CourseDeps['objects'];
  /** Where the agents' heartbeats are. */
  readonly namespace: string;
  /** Of the init container that puts the init into placeholders. */
  readonly initImage: string;
};

/**
 * Objects of one kind worked on at the same time. Each waits for some five answers in a row: with 8, a server that takes 300 ms for each lets no more
 * than five snapshots a second through, and all later ones wait behind.
 */
const slots = 32;
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
  deps: Pick<LeadDeps, 'caches' | 'clock' | 'events' | 'initImage' | 'kube' | 'namespace'>,
): Reconciles {
  const { caches, clock, kube } = deps;
  const shared = {
    ...{ kube, clock, ...caches, events: deps.events },
    ownCheckpoints: new OwnWrites(caches.checkpoints),
    ownSnapshotJobs: new OwnWrites(caches.snapshotJobs),
    ownSnapshots: new OwnWrites(caches.snapshots),
    ownPodRestores: new OwnWrites(caches.podRestores),
    podOverSince: new FirstSeen(clock),
    initImage: deps.initImage,
    beats: caches.heartbeats.beats,
    heartbeats: new Heartbeats(kube, clock, deps.namespace, caches.heartbeats.beats),
    namespace: deps.namespace,
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
    podRestore: podRestoreReconcile(shared),
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
  const invariants = watchInvariants(deps);
  const work = reconciles({ ...deps, kube: courses.kube });
  const checkpoint = start('checkpoint', work.checkpoint);
  const snapshot = start('snapshot', work.snapshot);
  const content = start('content', work.content);
  const snapshotJob = start('snapshotJob', work.snapshotJob);
  const podRestore = start('podRestore', work.podRestore);
  const queues = { checkpoint, snapshot, content, snapshotJob, podRestore };
  return {
    wake: {
      checkpoint: (key) => {
        courses.changed.checkpoint(key);
        checkpoint.add(key);
      },
      snapshot: (key) => {
        courses.changed.snapshot(key);
        invariants.snapshot(key, deps.caches.snapshots.get(key));
        snapshot.add(key);
      },
      content: (key) => {
        courses.changed.content(key);
        invariants.content(key, deps.caches.contents.get(key));
        content.add(key);
      },
      snapshotJob: (key) => {
        courses.changed.snapshotJob(key);
        snapshotJob.add(key);
      },
      podRestore: (key) => {
        courses.changed.podRestore(key);
        invariants.restore(key, deps.caches.podRestores.get(key));
        podRestore.add(key);
      },
    },
    run: async (signal) => {
      const stopped = resync(deps, queues, invariants, signal);
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

const apiVersions = {
  PodSnapshot: apiVersion,
  PodSnapshotContent: apiVersion,
  PodRestore: extensionApiVersion,
} as const;

/** Never more than a word about it: a controller that ends for a broken invariant helps nobody. */
function watchInvariants({ clock, events, kube, log, metrics }: LeadDeps): InvariantWatch {
  const serverMilliseconds = (): number =>
    serverNow(kube, clock.monotonicMilliseconds()) ?? clock.wallMilliseconds();
  return new InvariantWatch(serverMilliseconds, ({ invariant, kind, message, metadata }) => {
    const { name, namespace = '', uid } = metadata;
    metrics.invariantViolated(invariant);
    log.error({ invariant, kind, namespace, name, uid, message }, 'an invariant is broken');
    events.record({
      regarding: { kind, apiVersion: apiVersions[kind], namespace, name, uid },
      ...{ type: 'Warning', reason: 'InvariantViolated', action: 'Look' },
      note: `${invariant}: ${message}`,
    });
  });
}

const keysOf = (objects: readonly { readonly metadata: Metadata }[]): readonly string[] =>
  objects.map(({ metadata }) => cacheKey(metadata.namespace ?? '', metadata.name));

/** Adds every key there is, now and again and again until the signal aborts. */
async function resync(
  deps: LeadDeps,
  queues: Readonly<Record<keyof Wake, Reconciler>>,
  invariants: InvariantWatch,
  signal: AbortSignal,
): Promise<void> {
  const { caches, clock, random } = deps;
  while (!signal.aborted) {
    for (const key of keysOf(caches.checkpoints.list())) queues.checkpoint.add(key);
    for (const key of keysOf(caches.snapshotJobs.list())) queues.snapshotJob.add(key);
    for (const key of keysOf(caches.podRestores.list())) {
      queues.podRestore.add(key);
      invariants.restore(key, caches.podRestores.get(key));
    }
    for (const key of keysOf(caches.snapshots.list())) {
      queues.snapshot.add(key);
      invariants.snapshot(key, caches.snapshots.get(key));
    }
    for (const key of keysOf(caches.contents.list())) queues.content.add(key);
    const { beats } = caches.heartbeats;
    await removeStaleHeartbeats({ ...deps, beats, contents: caches.contents }, signal);
    // Rejects only when the signal aborts, which ends the loop.
    await sleep(clock, resyncMilliseconds * (0.9 + 0.2 * random()), signal).catch(() => {});
  }
}
