import { sweepLeaseName } from '../core/api/names.ts';
import { sleep } from '../core/clock.ts';
import { errorText, isFailure } from '../core/failure.ts';
import { captureLeaseTiming, type LeaseSightings } from '../runtime/lease-attempt.ts';
import { type LeaseDeps, tryAcquire } from '../runtime/lease-lock.ts';
import type { AgentMetrics } from './agent-metrics.ts';
import { sweepStore } from './artifact/sweep.ts';
import type { SnapshotStore } from './store/store.ts';

type Deps = {
  readonly leases: LeaseDeps;
  readonly store: SnapshotStore;
  readonly metrics: Pick<AgentMetrics, 'swept'>;
};

export type SweepOptions = {
  readonly namespace: string;
  readonly holder: string;
  readonly deadHolders: ReadonlySet<string>;
  readonly everyMilliseconds: number;
  readonly graceMilliseconds: number;
};

/** A sweep that has not come to its end by then is given up: the store is too slow for it now, and captures come first. */
const longestMilliseconds = 3_600_000;
/** Agents that start together, after an upgrade, spread their sweeps over this time. */
const spreadMilliseconds = 600_000;
/** Looked at again sooner than a whole period: who holds the Lease may have died. */
const elsewhereMilliseconds = 3_600_000;

/** Sweeps the store soon after the start and then once a period, until the signal aborts. One sweeper a store, by a Lease. Never throws. */
export async function keepSwept(
  deps: Deps,
  options: SweepOptions,
  signal: AbortSignal,
): Promise<void> {
  const { clock, random } = deps.leases;
  const sightings: LeaseSightings = new Map();
  const { everyMilliseconds } = options;
  let pause = Math.min(spreadMilliseconds, everyMilliseconds / 10) * random();
  while (!signal.aborted) {
    try {
      await sleep(clock, pause, signal);
      const swept = await sweepOnce(deps, options, sightings, signal);
      pause = swept ? everyMilliseconds : Math.min(everyMilliseconds, elsewhereMilliseconds);
    } catch (error) {
      if (signal.aborted) return;
      deps.leases.log.warn({ error: errorText(error) }, 'the store was not swept');
      pause = Math.min(everyMilliseconds, elsewhereMilliseconds);
    }
  }
}

/** False when another agent is at it. */
async function sweepOnce(
  deps: Deps,
  options: SweepOptions,
  sightings: LeaseSightings,
  signal: AbortSignal,
): Promise<boolean> {
  const { leases, store, metrics } = deps;
  const { clock, log } = leases;
  const { namespace, holder, deadHolders, graceMilliseconds } = options;
  const name = sweepLeaseName(await store.identity(signal));
  const request = {
    ...{ namespace, name, holder, deadHolders, timing: captureLeaseTiming },
    ownerReference: undefined,
    whenLapsed: 'lose',
  } as const;
  const startedAt = clock.monotonicMilliseconds();
  const told = (outcome: Parameters<typeof metrics.swept>[0]['outcome'], freedBytes: number) => {
    const milliseconds = clock.monotonicMilliseconds() - startedAt;
    metrics.swept({
      ...{ outcome, freedBytes, milliseconds },
      wallMilliseconds: clock.wallMilliseconds(),
    });
    return { outcome, freedBytes, milliseconds };
  };
  const tried = await tryAcquire(leases, request, sightings, signal).catch((error: unknown) => {
    // Somebody was faster by a moment.
    if (isFailure(error, 'conflict')) return { held: false } as const;
    throw error;
  });
  if (!tried.held) {
    told('elsewhere', 0);
    return false;
  }
  const limit = new AbortController();
  const cancel = clock.after(longestMilliseconds, () =>
    limit.abort(new Error('the sweep took longer than an hour')),
  );
  const stop = AbortSignal.any([signal, tried.lease.lost, limit.signal]);
  try {
    const now = clock.wallMilliseconds();
    const { freedBytes, kept } = await sweepStore(store, graceMilliseconds, now, stop);
    if (kept !== undefined) log.error({ kept }, 'no blob can be swept: a snapshot is unreadable');
    log.info(told(kept === undefined ? 'done' : 'blocked', freedBytes), 'the store was swept');
    return true;
  } catch (error) {
    told('failed', 0);
    throw error;
  } finally {
    cancel();
    await tried.lease.release();
  }
}
