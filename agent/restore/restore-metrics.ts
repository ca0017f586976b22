import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { RestoreMetrics } from './deps.ts';

const buckets = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60, 300, 1800];

/** The figures of restores, in the process's registry. */
export function restoreMetrics(registry: Registry): RestoreMetrics {
  const registers = [registry];
  const attempts = new Counter({
    name: 'cryopod_restore_attempts_total',
    help: 'Attempts to restore a pod by the reason of their end.',
    labelNames: ['outcome'],
    registers,
  });
  const step = (name: string, help: string): Histogram =>
    new Histogram({ name, help, buckets, registers });
  const steps = {
    fetch: step('cryopod_restore_fetch_seconds', 'Time to have the artifact on the node.'),
    apply: step('cryopod_restore_apply_seconds', 'Time to put files into the placeholder.'),
    restore: step('cryopod_restore_criu_seconds', 'Time CRIU took.'),
  };
  const refusals = new Counter({
    name: 'cryopod_restore_refusals_total',
    help: 'What stood in the way of restores.',
    labelNames: ['gate'],
    registers,
  });
  const held = new Gauge({
    name: 'cryopod_restore_cache_bytes',
    help: 'Bytes of artifacts that are kept extracted on the node, or are being fetched.',
    registers,
  });
  const evictions = new Counter({
    name: 'cryopod_restore_cache_evictions_total',
    help: 'Artifacts that made room for others.',
    registers,
  });
  return {
    ended: (outcome) => attempts.inc({ outcome }),
    took: (name, milliseconds) => steps[name].observe(milliseconds / 1000),
    refused: (gate) => refusals.inc({ gate }),
    held: (bytes) => held.set(bytes),
    evicted: () => evictions.inc(),
  };
}
