import { Counter, Histogram, type Registry } from 'prom-client';
import type { WriteObserver } from './counting-kube.ts';
import type { MilestoneObserver } from './milestones.ts';

/** The figures of objects on their way, in the process's registry. */
export type ObjectMetrics = {
  readonly milestones: (kind: string) => MilestoneObserver;
  readonly answered: WriteObserver['answered'];
};

const hopBuckets = [0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60, 300];
const courseBuckets = [0.5, 1, 2, 5, 10, 20, 60, 180, 600, 1800, 3600, 14_400];
const writeBuckets = [1, 2, 3, 4, 5, 6, 7, 8, 10, 15, 30];

/** Makes the metrics; once a process. */
export function objectMetrics(registry: Registry): ObjectMetrics {
  const registers = [registry];
  const bound = new Histogram({
    name: 'cryopod_bound_seconds',
    help: 'From creation of a snapshot to its binding to a content.',
    buckets: hopBuckets,
    registers,
  });
  const ready = new Histogram({
    name: 'cryopod_ready_seconds',
    help: 'From creation of an object to Ready.',
    labelNames: ['kind'],
    buckets: courseBuckets,
    registers,
  });
  const written = new Histogram({
    name: 'cryopod_object_writes',
    help: 'Writes of the controller to an object from its creation to its end.',
    labelNames: ['kind'],
    buckets: writeBuckets,
    registers,
  });
  const writes = new Counter({
    name: 'cryopod_writes_total',
    help: 'Writes of the controller by kind, operation and outcome.',
    labelNames: ['kind', 'operation', 'outcome'],
    registers,
  });
  return {
    milestones: (kind) => ({
      bound: (seconds) => bound.observe(seconds),
      ready: (seconds) => ready.observe({ kind }, seconds),
      written: (count) => written.observe({ kind }, count),
    }),
    answered: ({ kind }, operation, outcome) => writes.inc({ kind, operation, outcome }),
  };
}
