/** From when until when a certificate is valid, in milliseconds since the epoch. */
export type Term = { readonly from: number; readonly until: number };

/** The Secret and the webhook configuration, as far as they matter. */
export type Observed = {
  /** The API server's time: it is the one that checks certificates. */
  readonly now: number;
  /** Oldest first; the last one signs. */
  readonly authorities: readonly Term[];
  /** Whether the private key of the last authority is there. */
  readonly canSign: boolean;
  /** Undefined when there is none, or none that belongs to its key, to an authority and to the names. `authority` is the index of who signed it. */
  readonly server: (Term & { readonly authority: number }) | undefined;
  /** For how long API servers have been told to trust just these authorities, as far as this process has seen; undefined when they are told otherwise. */
  readonly trustedForMilliseconds: number | undefined;
};

/** One step; the loop looks again after each. */
export type Action =
  /** An authority and a certificate of it at once: there is nothing that works and could be broken. */
  | { readonly do: 'begin' }
  | { readonly do: 'addAuthority' }
  | { readonly do: 'publishAuthorities' }
  | { readonly do: 'issueServer' }
  | { readonly do: 'dropAuthorities' };

export type Decision = { readonly action?: Action; readonly againAfterMilliseconds: number };

const hour = 3_600_000;
const day = 24 * hour;

/** Lifetimes and pauses of the webhook's certificates. */
export const timing = {
  authorityMilliseconds: 365 * day,
  serverMilliseconds: 90 * day,
  /** Clocks of API servers that are behind must find a new certificate valid. */
  backdatedMilliseconds: hour,
  /** An API server that has not heard of a changed configuration for this long cannot write either. */
  settleMilliseconds: 30_000,
  /** Who still serves a certificate of the authority before must have read the new one by then. */
  supersededMilliseconds: day,
  lookMilliseconds: 60_000,
} as const;

/** Where the certificates stand. */
export const phases = [
  'Unusable',
  'Untrusted',
  'AuthorityAging',
  'Settling',
  'ServerAging',
  'Superseded',
  'Kept',
] as const;
export type Phase = (typeof phases)[number];

const isValid = ({ from, until }: Term, now: number): boolean => from <= now && now < until;
/** A certificate is replaced when a third of its life is left: time enough for somebody to see that it does not work. */
const isAging = ({ from, until }: Term, now: number): boolean => until - now < (until - from) / 3;

/** The phase of an observation; the order of the questions is the meaning. */
export function phaseOf(o: Observed): Phase {
  const { authorities, now, server } = o;
  const newest = authorities.at(-1);
  const signer = server === undefined ? undefined : authorities[server.authority];
  if (newest === undefined || server === undefined || signer === undefined) return 'Unusable';
  if (!isValid(server, now) || !isValid(signer, now) || !isValid(newest, now)) return 'Unusable';
  if (o.trustedForMilliseconds === undefined) return 'Untrusted';
  if (!o.canSign || isAging(newest, now)) return 'AuthorityAging';
  const bySuperseded = server.authority !== authorities.length - 1;
  if (bySuperseded || isAging(server, now)) {
    return o.trustedForMilliseconds < timing.settleMilliseconds ? 'Settling' : 'ServerAging';
  }
  const issuedAt = server.from + timing.backdatedMilliseconds;
  const isSuperseded = now - issuedAt >= timing.supersededMilliseconds;
  return authorities.length > 1 && isSuperseded ? 'Superseded' : 'Kept';
}

const soon = (action: Action): Decision => ({ action, againAfterMilliseconds: 0 });

const rules = {
  Unusable: () => soon({ do: 'begin' }),
  Untrusted: () => soon({ do: 'publishAuthorities' }),
  AuthorityAging: () => soon({ do: 'addAuthority' }),
  Settling: (o) => ({
    againAfterMilliseconds: timing.settleMilliseconds - (o.trustedForMilliseconds ?? 0),
  }),
  ServerAging: () => soon({ do: 'issueServer' }),
  Superseded: () => soon({ do: 'dropAuthorities' }),
  Kept: () => ({ againAfterMilliseconds: timing.lookMilliseconds }),
} as const satisfies Record<Phase, (o: Observed) => Decision>;

/**
 * What to do next about the certificates; pure and total. A new authority is trusted by every API server before anything is signed with it, and an old
 * one until nobody serves what it signed: so there is no moment in which a call fails.
 */
export const decide = (o: Observed): Decision => rules[phaseOf(o)](o);
