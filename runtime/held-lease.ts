import { type Clock, sleep } from '../core/clock.ts';
import { errorText, Failure, isFailure } from '../core/failure.ts';
import type { Kube } from './kube-port.ts';
import { type LeaseAttempt, type LeaseRequest, readLease, writeLease } from './lease-attempt.ts';
import { type LeaseRecord, microTime } from './lease-record.ts';
import type { Log } from './log.ts';

/**
 * What it means that the renew deadline passed without a good write. 'lose': the lease is lost at once (leader election). 'wait': it stops
 * being current, and is current again if the server, once back, still has us as the holder with the same transitions (a capture).
 */
export type LapsePolicy = 'lose' | 'wait';

export type HeldLease = {
  /** The fencing number: leaseTransitions when we became the holder. */
  readonly fence: number;
  /** Aborts with a `fenced` failure once somebody else holds the lease, or the lease object is gone, or it lapsed under 'lose'. */
  readonly lost: AbortSignal;
  /** Whether we may act on it right now: not lost and within the renew deadline on our monotonic clock. */
  current(): boolean;
  /** Asks the server, uncached: still ours with the same transitions, and renewed if it had lapsed; else a `fenced` failure. Other failures mean not known. */
  confirm(signal: AbortSignal): Promise<void>;
  /** Stops renewing and empties the holder, so that the next one need not wait; the object and its transitions stay. Never throws. */
  release(): Promise<void>;
};

type Deps = { readonly kube: Kube; readonly clock: Clock; readonly log: Log };

/** Renews a lease that has just been won until it is released or lost. */
export function holdLease(
  deps: Deps,
  request: LeaseRequest,
  won: Extract<LeaseAttempt, { held: true }>,
  whenLapsed: LapsePolicy,
): HeldLease {
  return new LeaseHolding(deps, request, won, whenLapsed);
}

class LeaseHolding implements HeldLease {
  readonly fence: number;
  readonly #deps: Deps;
  readonly #request: LeaseRequest;
  readonly #whenLapsed: LapsePolicy;
  readonly #lost = new AbortController();
  readonly #stop = new AbortController();
  readonly #renewing: Promise<void>;
  #goodSince: number;
  #cancelDeadline: () => void = () => {};
  /** One request on the lease at a time, so that a write of ours never conflicts with another of ours. */
  #turn: Promise<void> = Promise.resolve();
  /** The lease as we last read or wrote it; undefined after a write of unknown outcome. */
  #known: LeaseRecord | undefined;

  constructor(
    deps: Deps,
    request: LeaseRequest,
    won: Extract<LeaseAttempt, { held: true }>,
    whenLapsed: LapsePolicy,
  ) {
    this.#deps = deps;
    this.#request = request;
    this.#whenLapsed = whenLapsed;
    this.fence = won.lease.transitions;
    this.#known = won.lease;
    this.#goodSince = won.sinceMonotonicMilliseconds;
    this.#armDeadline();
    this.#renewing = this.#renewUntilStopped();
  }

  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  current(): boolean {
    if (this.#lost.signal.aborted || this.#stop.signal.aborted) return false;
    const age = this.#deps.clock.monotonicMilliseconds() - this.#goodSince;
    return age < this.#request.timing.renewDeadlineMilliseconds;
  }

  async confirm(signal: AbortSignal): Promise<void> {
    this.#throwIfLost();
    await this.#inTurn(async () => {
      this.#known = this.#stillOurs(await readLease(this.#deps, this.#request, signal));
      // A read proves nothing for the moment after it once others may take the lease; a write that nobody forestalled does.
      if (!this.current()) await this.#renew(signal);
    });
  }

  async release(): Promise<void> {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort(new Error('the lease was released'));
    this.#cancelDeadline();
    await this.#renewing;
    if (this.#lost.signal.aborted) return;
    const patience = new AbortController();
    try {
      await this.#inTurn(() => this.#giveBack(patience.signal));
    } catch (error) {
      // It runs out by itself.
      this.#deps.log.warn(this.#fields(error), 'lease not released');
    }
  }

  /** As last seen; a renewal that was cut short may have moved it all the same, then as it stands. */
  async #giveBack(signal: AbortSignal): Promise<void> {
    const spec = { holderIdentity: '', leaseDurationSeconds: 1 };
    const write = (lease: LeaseRecord): Promise<LeaseRecord> =>
      writeLease(this.#deps, this.#request, lease, spec, signal);
    const read = async (): Promise<LeaseRecord> =>
      this.#stillOurs(await readLease(this.#deps, this.#request, signal));
    try {
      await write(this.#known ?? (await read()));
    } catch (error) {
      if (!isFailure(error, 'conflict')) throw error;
      await write(await read());
    }
  }

  async #renewUntilStopped(): Promise<void> {
    const { timing } = this.#request;
    const { clock, log } = this.#deps;
    let pause = timing.renewEveryMilliseconds;
    for (;;) {
      try {
        await sleep(clock, pause, this.#stop.signal);
        await this.#inTurn(() => this.#renew(this.#stop.signal));
        pause = timing.renewEveryMilliseconds;
      } catch (error) {
        if (this.#stop.signal.aborted || this.#lost.signal.aborted) return;
        pause = timing.retryMilliseconds;
        log.warn(this.#fields(error), 'lease not renewed');
      }
    }
  }

  async #renew(signal: AbortSignal): Promise<void> {
    this.#throwIfLost();
    const { clock } = this.#deps;
    const lease =
      this.#known ?? this.#stillOurs(await readLease(this.#deps, this.#request, signal));
    const startedAt = clock.monotonicMilliseconds();
    const spec = { renewTime: microTime(clock.wallMilliseconds()) };
    this.#known = undefined;
    const written = await writeLease(this.#deps, this.#request, lease, spec, signal).catch(
      (error: unknown) => {
        // Not there any more: deleted under us. Its transitions are lost with it, so we cannot go on.
        if (isFailure(error, 'gone')) this.#stillOurs(undefined);
        throw error;
      },
    );
    this.#known = this.#stillOurs(written);
    this.#goodSince = startedAt;
    this.#armDeadline();
  }

  /** The lease given, if it is still ours under the same transitions; else we are fenced. */
  #stillOurs(lease: LeaseRecord | undefined): LeaseRecord {
    const { holder } = this.#request;
    if (lease !== undefined && lease.holder === holder && lease.transitions === this.fence) {
      return lease;
    }
    const now =
      lease === undefined
        ? 'does not exist any more'
        : `is held by ${lease.holder || 'nobody'} with transitions ${lease.transitions}`;
    throw this.#lose('LeaseLost', `lease ${this.#name()} ${now}; ours was ${this.fence}`);
  }

  #lose(reason: string, message: string): Failure {
    const failure = new Failure('fenced', reason, message);
    this.#cancelDeadline();
    if (!this.#lost.signal.aborted) {
      this.#lost.abort(failure);
      // Ends the renewing as well; a lost lease is not released.
      this.#stop.abort(failure);
    }
    return failure;
  }

  #throwIfLost(): void {
    if (this.#lost.signal.aborted) throw this.#lost.signal.reason;
  }

  #armDeadline(): void {
    this.#cancelDeadline();
    if (this.#whenLapsed === 'wait') return;
    const { clock } = this.#deps;
    const deadline = this.#goodSince + this.#request.timing.renewDeadlineMilliseconds;
    const left = deadline - clock.monotonicMilliseconds();
    this.#cancelDeadline = clock.after(left, () => {
      this.#lose('LeaseLapsed', `lease ${this.#name()} could not be renewed in time`);
    });
  }

  async #inTurn(call: () => Promise<void>): Promise<void> {
    const mine = this.#turn.then(call);
    this.#turn = mine.catch(() => {});
    await mine;
  }

  #name(): string {
    return `${this.#request.namespace}/${this.#request.name}`;
  }

  #fields(error: unknown): { readonly lease: string; readonly error: string } {
    return { lease: this.#name(), error: errorText(error) };
  }
}
