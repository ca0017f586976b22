import { sleep } from '../core/clock.ts';
import { errorText, isFailure } from '../core/failure.ts';
import {
  attemptLease,
  type LeaseRequest,
  type LeaseSightings,
  readLease,
  writeLease,
} from './lease-attempt.ts';
import type { LeaseDeps } from './lease-lock.ts';
import { takenSpec } from './lease-record.ts';

/**
 * Keeps a Lease that says "alive" fresh until the signal aborts, then resolves. It is nobody's lock: whoever held it before (this process's
 * predecessor) is replaced at once, with transitions up by one. Failures are logged and tried again; never throws.
 */
export async function keepHeartbeat(
  deps: LeaseDeps,
  request: LeaseRequest,
  signal: AbortSignal,
): Promise<void> {
  const sightings: LeaseSightings = new Map();
  const { timing } = request;
  while (!signal.aborted) {
    let pause = timing.renewEveryMilliseconds;
    try {
      const attempt = await attemptLease(deps, request, sightings, signal);
      if (!attempt.held) await replaceHolder(deps, request, signal);
    } catch (error) {
      if (signal.aborted) return;
      pause = isFailure(error, 'conflict') ? 100 : timing.retryMilliseconds;
      const fields = { lease: `${request.namespace}/${request.name}`, error: errorText(error) };
      deps.log.warn(fields, 'heartbeat not written');
    }
    await sleep(deps.clock, pause * (1 + 0.1 * deps.random()), signal).catch(() => {});
  }
}

async function replaceHolder(
  deps: LeaseDeps,
  request: LeaseRequest,
  signal: AbortSignal,
): Promise<void> {
  const lease = await readLease(deps, request, signal);
  if (lease === undefined) return;
  const spec = takenSpec({
    holder: request.holder,
    durationMilliseconds: request.timing.durationMilliseconds,
    transitions: lease.transitions + 1,
    wallMilliseconds: deps.clock.wallMilliseconds(),
  });
  await writeLease(deps, request, lease, spec, signal);
}
