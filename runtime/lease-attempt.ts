import { kinds } from '../core/api/kinds.ts';
import type { Clock } from '../core/clock.ts';
import { isFailure } from '../core/failure.ts';
import { callWithin } from './call-within.ts';
import type { Kube, ObjectKey, RawObject } from './kube-port.ts';
import { firstTransitions, type LeaseSighting, nextLeaseMove } from './lease-move.ts';
import { type LeaseRecord, leaseRecord, microTime, takenSpec } from './lease-record.ts';
import { readRaw } from './read-raw.ts';

/** Who owns a lease object: it is garbage-collected with its owner. */
export type LeaseOwner = {
  readonly apiVersion: string;
  readonly kind: string;
  readonly name: string;
  readonly uid: string;
};

/**
 * How long a lease lasts. Others wait `durationMilliseconds`; the holder believes for `renewDeadlineMilliseconds` after the start of its last
 * good write, renews every `renewEveryMilliseconds` and after a failure every `retryMilliseconds`. Duration must exceed deadline by what the
 * clocks may differ in rate and by what stopping takes.
 */
export type LeaseTiming = {
  readonly durationMilliseconds: number;
  readonly renewDeadlineMilliseconds: number;
  readonly renewEveryMilliseconds: number;
  readonly retryMilliseconds: number;
};

/** Captures: 30 s, renewed every 10 s. */
export const captureLeaseTiming: LeaseTiming = {
  durationMilliseconds: 30_000,
  renewDeadlineMilliseconds: 20_000,
  renewEveryMilliseconds: 10_000,
  retryMilliseconds: 2_000,
};

/** Leader election: 15 s, deadline 10 s, every 2 s. */
export const leaderLeaseTiming: LeaseTiming = {
  durationMilliseconds: 15_000,
  renewDeadlineMilliseconds: 10_000,
  renewEveryMilliseconds: 2_000,
  retryMilliseconds: 2_000,
};

/** What a lease wears beside its spec; written with every write, so that an older lease gets it too. */
export type LeaseMarks = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
};

export type LeaseRequest = {
  readonly namespace: string;
  readonly name: string;
  readonly marks?: LeaseMarks;
  /** Unique for each start of a process (pod name and a random suffix): a restarted container is a new holder. */
  readonly holder: string;
  readonly timing: LeaseTiming;
  readonly ownerReference: LeaseOwner | undefined;
  /** Holders that are known to have ended, by better proof than a clock: their lease is taken at once. */
  readonly deadHolders?: ReadonlySet<string>;
  /** Whether the lease most likely does not exist yet: it is created unread, and read only where it turns out to exist. */
  readonly likelyNew?: boolean;
};

/** What earlier attempts of this process saw, by `namespace/name`; without it a dead holder never expires for us. */
export type LeaseSightings = Map<string, LeaseSighting>;

export type LeaseAttempt =
  | {
      readonly held: true;
      readonly lease: LeaseRecord;
      /** Monotonic moment before the write that made it ours. */
      readonly sinceMonotonicMilliseconds: number;
    }
  | {
      readonly held: false;
      readonly heldBy: string;
      readonly message: string;
      /** When it could be free at the earliest, if its holder is dead. */
      readonly againInMilliseconds: number;
    };

const nobody: ReadonlySet<string> = new Set();

type Deps = { readonly kube: Kube; readonly clock: Clock };

export const leaseKey = (request: Pick<LeaseRequest, 'namespace' | 'name'>): ObjectKey => ({
  kind: kinds.lease,
  namespace: request.namespace,
  name: request.name,
});

/** One request may not eat the renew deadline: after a renewal that hangs there is time for another. */
export const callLimitMilliseconds = (timing: LeaseTiming): number =>
  (timing.renewDeadlineMilliseconds - timing.renewEveryMilliseconds) / 2;

/** Reads a lease uncached; undefined when the server says that there is none. */
export async function readLease(
  deps: Deps,
  request: LeaseRequest,
  signal: AbortSignal,
): Promise<LeaseRecord | undefined> {
  const limit = callLimitMilliseconds(request.timing);
  const get = (within: AbortSignal): Promise<RawObject | undefined> =>
    readRaw(deps.kube, leaseKey(request), within);
  const raw = await callWithin(deps.clock, limit, signal, get);
  return raw === undefined ? undefined : leaseRecord(raw);
}

/**
 * Nobody applies a lease, and most writes are renewals: who set which field is not recorded, which costs the API server a good part of each. A single
 * empty entry empties the record, and what has none is not tracked any more (Kubernetes, Server-Side Apply, "Clearing managedFields").
 */
const untracked = [{}];

/** Writes to a lease as it was read; throws `conflict` when it has moved since. After any other failure the outcome is unknown: read first. */
export async function writeLease(
  deps: Deps,
  request: LeaseRequest,
  read: LeaseRecord,
  spec: RawObject,
  signal: AbortSignal,
): Promise<LeaseRecord> {
  const limit = callLimitMilliseconds(request.timing);
  const { marks } = request;
  const { uid, resourceVersion } = read;
  const metadata = { uid, resourceVersion, managedFields: untracked, ...marks };
  const patch = { type: 'merge', body: { metadata, spec } } as const;
  const write = (within: AbortSignal): Promise<RawObject> =>
    deps.kube.patch(leaseKey(request), '', patch, within);
  return leaseRecord(await callWithin(deps.clock, limit, signal, write));
}

async function createLease(
  deps: Deps,
  request: LeaseRequest,
  signal: AbortSignal,
): Promise<LeaseRecord> {
  const { name, namespace, holder, marks, ownerReference } = request;
  const owners = ownerReference === undefined ? {} : { ownerReferences: [ownerReference] };
  const spec = takenSpec({
    holder,
    durationMilliseconds: request.timing.durationMilliseconds,
    transitions: firstTransitions,
    wallMilliseconds: deps.clock.wallMilliseconds(),
  });
  const body = {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { name, namespace, ...marks, ...owners },
    spec,
  };
  const limit = callLimitMilliseconds(request.timing);
  const create = (within: AbortSignal): Promise<RawObject> =>
    deps.kube.create(kinds.lease, body, { dryRun: false }, within);
  return leaseRecord(await callWithin(deps.clock, limit, signal, create));
}

/** A create of a lease that nobody is known to have made; undefined when somebody has. */
async function createUnread(
  deps: Deps,
  request: LeaseRequest,
  signal: AbortSignal,
): Promise<LeaseRecord | undefined> {
  try {
    return await createLease(deps, request, signal);
  } catch (error) {
    if (isFailure(error, 'conflict')) return undefined;
    throw error;
  }
}

/** One read and at most one write, or a create alone. A conflict means that somebody else was faster and comes out as the failure it is. */
export async function attemptLease(
  deps: Deps,
  request: LeaseRequest,
  sightings: LeaseSightings,
  signal: AbortSignal,
): Promise<LeaseAttempt> {
  const { clock } = deps;
  const at = `${request.namespace}/${request.name}`;
  if (request.likelyNew === true && !sightings.has(at)) {
    const sinceMonotonicMilliseconds = clock.monotonicMilliseconds();
    const lease = await createUnread(deps, request, signal);
    if (lease !== undefined) return { held: true, lease, sinceMonotonicMilliseconds };
  }
  const read = await readLease(deps, request, signal);
  const now = clock.monotonicMilliseconds();
  const { durationMilliseconds } = request.timing;
  const move = nextLeaseMove({
    me: request.holder,
    lease: read,
    seen: sightings.get(at),
    nowMonotonicMilliseconds: now,
    durationMilliseconds,
    deadHolders: request.deadHolders ?? nobody,
  });
  if (move.do === 'stand-by') {
    sightings.set(at, move.seen);
    const { heldBy, againInMilliseconds } = move;
    const message = `lease ${at} is held by ${heldBy}`;
    return { held: false, heldBy, message, againInMilliseconds };
  }
  const won = (lease: LeaseRecord): LeaseAttempt => {
    sightings.delete(at);
    return { held: true, lease, sinceMonotonicMilliseconds: now };
  };
  if (move.do === 'create' || read === undefined) {
    return won(await createLease(deps, request, signal));
  }
  const wallMilliseconds = clock.wallMilliseconds();
  const spec =
    move.do === 'renew'
      ? { renewTime: microTime(wallMilliseconds) }
      : takenSpec({
          holder: request.holder,
          durationMilliseconds,
          transitions: move.transitions,
          wallMilliseconds,
        });
  return won(await writeLease(deps, request, read, spec, signal));
}
