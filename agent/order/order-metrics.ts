import { Counter, Gauge, Histogram } from 'prom-client';
import type { Metrics } from '../../runtime/metrics.ts';
import type { OrderMetrics } from './deps.ts';
import type { Orders } from './orders.ts';

const freezeBuckets = [0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 15, 60];
const workBuckets = [0.05, 0.2, 0.5, 1, 2, 5, 15, 60, 300, 1800];

/** The figures of captures, in the process's registry. */
export function orderMetrics(metrics: Metrics): OrderMetrics {
  const registers = [metrics.registry];
  const seconds = (name: string, help: string, buckets: number[]): Histogram =>
    new Histogram({ name, help, buckets, registers });
  const freeze = seconds(
    'cryopod_capture_freeze_seconds',
    'Time a source executed no instruction.',
    freezeBuckets,
  );
  const dump = seconds('cryopod_capture_dump_seconds', 'From journal to thaw.', workBuckets);
  const publish = seconds('cryopod_capture_publish_seconds', 'Time to store it.', workBuckets);
  const ended = new Counter({
    name: 'cryopod_orders_ended_total',
    help: 'Orders by the reason of their end; Captured is success.',
    labelNames: ['reason'],
    registers,
  });
  const blockers = new Counter({
    name: 'cryopod_preflight_blockers_total',
    help: 'Blockers found in preflight.',
    labelNames: ['check'],
    registers,
  });
  return {
    froze: (milliseconds) => freeze.observe(milliseconds / 1000),
    dumped: (milliseconds) => dump.observe(milliseconds / 1000),
    published: (milliseconds) => publish.observe(milliseconds / 1000),
    ended: (reason) => ended.inc({ reason }),
    blocked: (check) => blockers.inc({ check }),
    violated: (invariant) => metrics.invariantViolated(invariant),
  };
}

/** Shows how many orders wait for the node's dump. */
export function watchOrders(metrics: Metrics, orders: Orders): void {
  const waiting: Gauge = new Gauge({
    name: 'cryopod_orders_waiting_for_turn',
    help: 'Orders that wait for their turn to dump.',
    registers: [metrics.registry],
    collect: () => waiting.set(orders.waitingForTurn()),
  });
  metrics.watchQueue('order', orders.queue);
}
