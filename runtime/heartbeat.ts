import { sleep } from '../core/clock.ts';
import { errorText, isFailure } from '../core/failure.ts';
import type { RawObject } from './kube-port.ts';
import { attemptLease, type LeaseRequest, readLease, writeLease } from './lease-attempt.ts';
import type { LeaseDeps } from './lease-lock.ts';
import { type LeaseRecord, microTime, takenSpec } from './lease-record.ts';

/**
 * Keeps a Lease that says "alive" fresh until the signal aborts, then resolves. It is nobody's lock: whoever held it before (this process's
 * predecessor) is replaced at once, with transitions up by one. Failures are logged and tried again; never throws.
 */
export async function keepHeartbeat(
  deps: LeaseDeps,
  request: LeaseRequest,
  signal: AbortSignal,
): Promise<void> {
  const { timing } = request;
  let known: LeaseRecord | undefined;
  while (!signal.aborted) {
    let pause = timing.renewEveryMilliseconds;
    try {
      // One request a beat; whether the lease is still as we wrote it is told by the write.
      const last = known;
      known = undefined;
      known = await (last === undefined
        ? takeOver(deps, request, signal)
        : writeLease(deps, request, last, renewed(deps), signal));
    } catch (error) {
      if (signal.aborted) return;
      pause = isFailure(error, 'conflict') ? 100 : timing.retryMilliseconds;
      const fields = { lease: `${request.namespace}/${request.name}`, error: errorText(error) };
      deps.log.warn(fields, 'heartbeat not written');
    }
    await sleep(deps.clock, pause * (1 + 0.1 * deps.random()), signal).catch(() => {});
  }
}

const renewed = ({ clock }: LeaseDeps): RawObject => ({
  renewTime: microTime(clock.wallMilliseconds()),
});

/** Makes the lease ours, whoever holds it. */
async function takeOver(
  deps: LeaseDeps,
  request: LeaseRequest,
  signal: AbortSignal,
): Promise<LeaseRecord | undefined> {
  const attempt = await attemptLease(deps, request, new Map(), signal);
  if (attempt.held) return attempt.lease;
  const lease = await readLease(deps, request, signal);
  if (lease === undefined) return undefined;
  const spec = takenSpec({
    holder: request.holder,
    durationMilliseconds: request.timing.durationMilliseconds,
    transitions: lease.transitions + 1,
    wallMilliseconds: deps.clock.wallMilliseconds(),
  });
  return writeLease(deps, request, lease, spec, signal);
}
