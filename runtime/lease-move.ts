import type { LeaseRecord } from './lease-record.ts';

/** When we first saw a lease as it stands now. `version` is its resourceVersion, compared for equality only. */
export type LeaseSighting = {
  readonly uid: string;
  readonly version: string;
  readonly atMonotonicMilliseconds: number;
};

export type LeaseMove =
  | { readonly do: 'create' }
  | { readonly do: 'take'; readonly transitions: number }
  | { readonly do: 'renew'; readonly transitions: number }
  | {
      readonly do: 'stand-by';
      readonly heldBy: string;
      readonly seen: LeaseSighting;
      readonly againInMilliseconds: number;
    };

/**
 * What to do about a lease that we want. Whether its holder is late is judged by how long *we* have seen it unchanged on our own monotonic
 * clock; the times inside it are another machine's and are not looked at. Clocks may differ by any amount, only their rates must be near.
 */
export function nextLeaseMove(given: {
  readonly me: string;
  readonly lease: LeaseRecord | undefined;
  readonly seen: LeaseSighting | undefined;
  readonly nowMonotonicMilliseconds: number;
  /** Used where the holder promised none. */
  readonly durationMilliseconds: number;
  /** Holders that are known to have ended, by better proof than a clock. */
  readonly deadHolders: ReadonlySet<string>;
}): LeaseMove {
  const { me, lease, seen } = given;
  if (lease === undefined) return { do: 'create' };
  if (lease.holder === me) return { do: 'renew', transitions: lease.transitions };
  if (lease.holder === '' || given.deadHolders.has(lease.holder)) {
    return { do: 'take', transitions: lease.transitions + 1 };
  }
  const same = seen?.uid === lease.uid && seen.version === lease.resourceVersion;
  const since = same
    ? seen
    : {
        uid: lease.uid,
        version: lease.resourceVersion,
        atMonotonicMilliseconds: given.nowMonotonicMilliseconds,
      };
  const promised = lease.durationMilliseconds || given.durationMilliseconds;
  const left = since.atMonotonicMilliseconds + promised - given.nowMonotonicMilliseconds;
  if (left <= 0) return { do: 'take', transitions: lease.transitions + 1 };
  return { do: 'stand-by', heldBy: lease.holder, seen: since, againInMilliseconds: left };
}

/** The fencing number of a lease that has just been created: nobody held it before, so this is the first change of holder. */
export const firstTransitions = 1;
