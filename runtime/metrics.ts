import { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { HeldLease } from './held-lease.ts';
import type { ReconcileOutcome } from './reconciler.ts';
import type { ReflectorObserver } from './reflector.ts';
import type { QueueObserver, WorkQueue } from './work-queue.ts';

/** Metrics of the runtime, in a registry of their own so that tests can read them and two processes in one never mix. */
export type Metrics = {
  readonly registry: Registry;
  readonly queueObserver: (queue: string) => QueueObserver;
  /** Depth and age are asked for at each scrape. */
  readonly watchQueue: (name: string, queue: WorkQueue) => void;
  readonly reconcileEnded: (reconciler: string) => (outcome: ReconcileOutcome) => void;
  readonly reflectorObserver: (kind: string) => ReflectorObserver;
  readonly watchReflector: (
    kind: string,
    reflector: { readonly size: number; readonly silentForMilliseconds: () => number },
  ) => void;
  /** Shows whether we hold the lease, and under which fence. */
  readonly watchLease: (lease: string, held: () => HeldLease | undefined) => void;
  readonly eventCounted: (outcome: string) => void;
  readonly invariantViolated: (invariant: string) => void;
};

const secondsBuckets = [0.001, 0.005, 0.02, 0.1, 0.5, 1, 5, 15, 60, 300];

/** A gauge that asks its sources at each scrape. */
function askedGauge(registry: Registry, name: string, help: string, label: string) {
  const sources = new Map<string, () => number>();
  const gauge: Gauge = new Gauge({
    name,
    help,
    labelNames: [label],
    registers: [registry],
    collect: () => {
      for (const [value, ask] of sources) gauge.set({ [label]: value }, ask());
    },
  });
  return (value: string, ask: () => number): void => void sources.set(value, ask);
}

/** All metrics of the runtime under one registry. Make it once a process. */
export function createMetrics(): Metrics {
  const registry = new Registry();
  const registers = [registry];
  const counter = (name: string, help: string, ...labelNames: string[]): Counter =>
    new Counter({ name, help, labelNames, registers });
  const seconds = (name: string, help: string, ...labelNames: string[]): Histogram =>
    new Histogram({ name, help, labelNames, buckets: secondsBuckets, registers });
  const asked = (name: string, help: string, label: string): ReturnType<typeof askedGauge> =>
    askedGauge(registry, name, help, label);

  const waited = seconds('cryopod_queue_wait_seconds', 'Time keys waited for a slot.', 'queue');
  const took = seconds('cryopod_queue_work_seconds', 'Time keys were worked on.', 'queue');
  const retries = counter('cryopod_queue_retries_total', 'Keys put back with back-off.', 'queue');
  const depth = asked('cryopod_queue_depth', 'Keys waiting for a slot.', 'queue');
  const oldest = asked('cryopod_queue_oldest_seconds', 'Wait of the oldest key.', 'queue');
  const active = asked('cryopod_queue_active', 'Keys at work.', 'queue');
  const reconciles = counter(
    'cryopod_reconciles_total',
    'Reconciles by outcome.',
    'reconciler',
    'outcome',
  );
  const lists = counter('cryopod_reflector_lists_total', 'Complete lists.', 'kind');
  const restarts = counter(
    'cryopod_reflector_restarts_total',
    'Ended streams and lists by reason.',
    'kind',
    'reason',
  );
  const size = asked('cryopod_reflector_objects', 'Objects in the cache.', 'kind');
  const silence = asked(
    'cryopod_reflector_silence_seconds',
    'Time since the server last said anything.',
    'kind',
  );
  const held = asked('cryopod_lease_held', '1 while this process holds the lease.', 'lease');
  const fence = asked(
    'cryopod_lease_fence',
    'Fencing number of the lease held, 0 without.',
    'lease',
  );
  const events = counter('cryopod_events_total', 'Events by outcome.', 'outcome');
  const invariants = counter('cryopod_invariant_violations_total', 'Violations seen.', 'invariant');

  return {
    registry,
    queueObserver: (queue) => ({
      started: (milliseconds) => waited.observe({ queue }, milliseconds / 1000),
      finished: (milliseconds) => took.observe({ queue }, milliseconds / 1000),
      retried: () => retries.inc({ queue }),
    }),
    watchQueue: (name, queue) => {
      depth(name, () => queue.depth);
      oldest(name, () => queue.oldestWaitMilliseconds() / 1000);
      active(name, () => queue.active);
    },
    reconcileEnded: (reconciler) => (outcome) => reconciles.inc({ reconciler, outcome }),
    reflectorObserver: (kind) => ({
      listed: () => lists.inc({ kind }),
      restarted: (reason) => restarts.inc({ kind, reason }),
    }),
    watchReflector: (kind, reflector) => {
      size(kind, () => reflector.size);
      silence(kind, () => reflector.silentForMilliseconds() / 1000);
    },
    watchLease: (lease, ask) => {
      held(lease, () => (ask()?.current() === true ? 1 : 0));
      fence(lease, () => ask()?.fence ?? 0);
    },
    eventCounted: (outcome) => events.inc({ outcome }),
    invariantViolated: (invariant) => invariants.inc({ invariant }),
  };
}
