import { Counter, Gauge, Histogram, type Registry } from 'prom-client';

/** Figures of the agent that belong to no order. */
export type AgentMetrics = {
  readonly journalSetAside: () => void;
  readonly swept: (sweep: {
    /** `elsewhere`: another agent of the same store is at it. */
    readonly outcome: 'done' | 'blocked' | 'elsewhere' | 'failed';
    readonly freedBytes: number;
    readonly milliseconds: number;
    readonly wallMilliseconds: number;
  }) => void;
};

/** Makes them in the process's registry. */
export function agentMetrics(registry: Registry): AgentMetrics {
  const registers = [registry];
  const journals = new Counter({
    name: 'cryopod_journal_set_aside_total',
    help: 'Journals that were found damaged.',
    registers,
  });
  const sweeps = new Counter({
    name: 'cryopod_store_sweeps_total',
    help: 'Sweeps of the store by outcome.',
    labelNames: ['outcome'],
    registers,
  });
  const freed = new Counter({
    name: 'cryopod_store_swept_bytes_total',
    help: 'Bytes of blobs that sweeps freed.',
    registers,
  });
  const took = new Histogram({
    name: 'cryopod_store_sweep_seconds',
    help: 'Time a sweep took.',
    buckets: [0.1, 1, 10, 60, 600, 3600],
    registers,
  });
  const last = new Gauge({
    name: 'cryopod_store_last_sweep_timestamp_seconds',
    help: 'When this agent last swept the store to the end; 0 for never.',
    registers,
  });
  return {
    journalSetAside: () => journals.inc(),
    swept: ({ outcome, freedBytes, milliseconds, wallMilliseconds }) => {
      sweeps.inc({ outcome });
      if (outcome === 'elsewhere') return;
      freed.inc(freedBytes);
      took.observe(milliseconds / 1000);
      if (outcome === 'done') last.set(wallMilliseconds / 1000);
    },
  };
}
