import type { RawObject } from './kube-port.ts';
import { identityOf, numberAt, recordAt, textAt } from './raw-object.ts';

/** A coordination.k8s.io Lease as lease-lock reads it. */
export type LeaseRecord = {
  readonly uid: string;
  /** Sent back with every write. */
  readonly resourceVersion: string;
  /** '' when nobody holds it. */
  readonly holder: string;
  /** What the holder promised: it writes again within this, or is done. */
  readonly durationMilliseconds: number;
  /** Changes of holder so far: the fencing number. */
  readonly transitions: number;
};

/** Reads a raw Lease. Its times are not read at all: they come from somebody else's clock. */
export function leaseRecord(raw: RawObject): LeaseRecord {
  const spec = recordAt(raw, 'spec');
  const { uid, resourceVersion } = identityOf(raw);
  return {
    uid,
    resourceVersion,
    holder: textAt(spec, 'holderIdentity'),
    durationMilliseconds: numberAt(spec, 'leaseDurationSeconds', 0) * 1000,
    transitions: numberAt(spec, 'leaseTransitions', 0),
  };
}

/** metav1.MicroTime: the API server refuses a time with three fractional digits. */
export function microTime(wallMilliseconds: number): string {
  return new Date(wallMilliseconds).toISOString().replace('Z', '000Z');
}

/** The spec of a lease that changes hands. */
export function takenSpec(taken: {
  readonly holder: string;
  readonly durationMilliseconds: number;
  readonly transitions: number;
  readonly wallMilliseconds: number;
}): RawObject {
  const now = microTime(taken.wallMilliseconds);
  return {
    holderIdentity: taken.holder,
    leaseDurationSeconds: Math.max(1, Math.ceil(taken.durationMilliseconds / 1000)),
    acquireTime: now,
    renewTime: now,
    leaseTransitions: taken.transitions,
  };
}
