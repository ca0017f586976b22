import { Counter, Gauge, Histogram } from 'prom-client';
import type { Metrics } from '../../runtime/metrics.ts';
import type { OrderMetrics } from './deps.ts';
import type { Orders } from './orders.ts';
import { places, type Space } from './space.ts';
import type { PublishedBytes } from './store-artifacts.ts';

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
  const leases = new Counter({
    name: 'cryopod_capture_leases_lost_total',
    help: 'Captures that lost their Lease while they worked.',
    registers,
  });
  return {
    leaseLost: () => leases.inc(),
    froze: (milliseconds) => freeze.observe(milliseconds / 1000),
    dumped: (milliseconds) => dump.observe(milliseconds / 1000),
    published: (milliseconds) => publish.observe(milliseconds / 1000),
    ended: (reason) => ended.inc({ reason }),
    blocked: (check) => blockers.inc({ check }),
    violated: (invariant) => metrics.invariantViolated(invariant),
  };
}

/** The bytes of publishes, in the process's registry. */
export function publishedBytes(metrics: Metrics): (bytes: PublishedBytes) => void {
  const published = new Counter({
    name: 'cryopod_published_bytes_total',
    help: 'Bytes of published artifacts: resident memory, before compression (logical), of their blobs (stored), of blobs that were not there yet (written).',
    labelNames: ['kind'],
    registers: [metrics.registry],
  });
  return ({ residentBytes, logicalBytes, storedBytes, writtenBytes }) => {
    published.inc({ kind: 'resident' }, residentBytes);
    published.inc({ kind: 'logical' }, logicalBytes);
    published.inc({ kind: 'stored' }, storedBytes);
    published.inc({ kind: 'written' }, writtenBytes);
  };
}

/** Shows what waits and what is set aside, at each scrape. */
export function watchOrders(metrics: Metrics, orders: Orders, space: Space): void {
  const registers = [metrics.registry];
  const publishes: Gauge = new Gauge({
    name: 'cryopod_orders_waiting_to_publish',
    help: 'Orders whose dump waits for its turn to be published.',
    registers,
    collect: () => publishes.set(orders.waitingToPublish()),
  });
  const reserved: Gauge = new Gauge({
    name: 'cryopod_reserved_bytes',
    help: 'Bytes that captures under way are still to write.',
    labelNames: ['place'],
    registers,
    collect: () => {
      for (const place of places) reserved.set({ place }, space.reservedBytes(place));
    },
  });
  const waiting: Gauge = new Gauge({
    name: 'cryopod_orders_waiting_for_turn',
    help: 'Orders that wait for their turn to dump.',
    registers,
    collect: () => waiting.set(orders.waitingForTurn()),
  });
  metrics.watchQueue('order', orders.queue);
}
