import { type Clock, sleep } from '../core/clock.ts';
import { errorText, isFailure } from '../core/failure.ts';
import type { Random } from './back-off.ts';
import { type HeldLease, holdLease, type LapsePolicy } from './held-lease.ts';
import type { Kube } from './kube-port.ts';
import { attemptLease, type LeaseRequest, type LeaseSightings } from './lease-attempt.ts';
import type { Log } from './log.ts';

/** What lease-lock needs from the process. */
export type LeaseDeps = {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
};

export type TriedLease =
  | { readonly held: true; readonly lease: HeldLease }
  | {
      readonly held: false;
      readonly heldBy: string;
      /** For people: who holds it. */
      readonly message: string;
      readonly againInMilliseconds: number;
    };

/** One attempt. Keep `sightings` between attempts: a dead holder's lease runs out only for who has watched it. Throws what the server answers, `conflict` when somebody was faster. */
export async function tryAcquire(
  deps: LeaseDeps,
  request: LeaseRequest & { readonly whenLapsed: LapsePolicy },
  sightings: LeaseSightings,
  signal: AbortSignal,
): Promise<TriedLease> {
  const attempt = await attemptLease(deps, request, sightings, signal);
  if (!attempt.held) return attempt;
  return { held: true, lease: holdLease(deps, request, attempt, request.whenLapsed) };
}

/** Waits until the lease is ours. Rejects only with the signal's reason or a `terminal` failure (not allowed, not valid). */
export async function acquireLease(
  deps: LeaseDeps,
  request: LeaseRequest & { readonly whenLapsed: LapsePolicy },
  signal: AbortSignal,
): Promise<HeldLease> {
  const sightings: LeaseSightings = new Map();
  const { retryMilliseconds } = request.timing;
  for (;;) {
    let pause = retryMilliseconds;
    try {
      const tried = await tryAcquire(deps, request, sightings, signal);
      if (tried.held) return tried.lease;
      pause = Math.min(pause, tried.againInMilliseconds);
    } catch (error) {
      signal.throwIfAborted();
      if (isFailure(error, 'terminal')) throw error;
      if (!isFailure(error, 'conflict')) {
        const fields = { lease: `${request.namespace}/${request.name}`, error: errorText(error) };
        deps.log.warn(fields, 'lease not tried');
      }
    }
    // Spread by a tenth, so that waiting processes do not all write in the same moment.
    await sleep(deps.clock, pause * (1 + 0.1 * deps.random()), signal);
  }
}

/**
 * Runs `lead` while we hold the lease, once. The signal it gets aborts when the lease is lost or the outer signal aborts; the lease is released
 * after it has returned. Rejects with the `fenced` failure when the lease was lost: start the process afresh then.
 */
export async function runLeaderElected(
  deps: LeaseDeps,
  request: LeaseRequest,
  lead: (lease: HeldLease, signal: AbortSignal) => Promise<void>,
  signal: AbortSignal,
): Promise<void> {
  const lease = await acquireLease(deps, { ...request, whenLapsed: 'lose' }, signal);
  try {
    await lead(lease, AbortSignal.any([lease.lost, signal]));
  } finally {
    await lease.release();
  }
  if (lease.lost.aborted) throw lease.lost.reason;
}
