import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import type { ProgressReason } from '../../core/api/reasons.ts';
import type { Stage } from '../../core/api/stages.ts';
import type { HeldLease } from '../../runtime/held-lease.ts';
import type { SourcePin, Verdict } from './source-check.ts';
import type { CaptureWork } from './worker.ts';

/** What this process remembers of an order. Lost in a crash, and rebuilt from the world: nothing here decides alone. */
export type OrderRecord = {
  readonly contentName: string;
  gate: 'open' | { readonly pins: readonly SourcePin[] } | Verdict;
  lease: HeldLease | undefined;
  /** The lease came from somebody else, and the status does not say so yet. */
  takeoverUnannounced: boolean;
  /** Who else holds the lease; `untilMonotonic`: not worth asking before. */
  leaseElsewhere: { readonly message: string; readonly untilMonotonic: number } | undefined;
  work: CaptureWork | undefined;
  note:
    | { readonly stage: Stage; readonly reason: ProgressReason; readonly sinceMonotonic: number }
    | undefined;
  reportedAtMonotonic: number | undefined;
  /** When the order began to wait for its turn. */
  queuedAtMonotonic: number | undefined;
  /** The content as our last uncached read or write of it left it; counts until the cache has caught up. */
  written: PodSnapshotContent | undefined;
  /** The version of the source pod that our taking off of the label made; counts until the cache has caught up. */
  unlabelledVersion: string | undefined;
  /** We wrote the end of the order and owe what follows it. */
  unfinished: boolean;
};

const freshRecord = (contentName: string): OrderRecord => ({
  contentName,
  gate: 'open',
  lease: undefined,
  takeoverUnannounced: false,
  leaseElsewhere: undefined,
  work: undefined,
  note: undefined,
  reportedAtMonotonic: undefined,
  queuedAtMonotonic: undefined,
  written: undefined,
  unlabelledVersion: undefined,
  unfinished: false,
});

/**
 * Whether the cache lags behind what we have read or written. resourceVersions of one kind are comparable numbers since Kubernetes 1.35;
 * where a server's are not numbers, only the very version counts as caught up.
 */
export function isBehind(cachedVersion: string, knownVersion: string): boolean {
  if (cachedVersion === knownVersion) return false;
  const numbers = /^[0-9]+$/;
  if (!numbers.test(cachedVersion) || !numbers.test(knownVersion)) return true;
  return BigInt(cachedVersion) < BigInt(knownVersion);
}

/** The records of all orders this process has touched, by content UID. */
export class OrderBook {
  readonly #records = new Map<string, OrderRecord>();

  /** The record of an order; made when there is none. */
  record(uid: string, contentName: string): OrderRecord {
    const known = this.#records.get(uid);
    if (known !== undefined) return known;
    const fresh = freshRecord(contentName);
    this.#records.set(uid, fresh);
    return fresh;
  }

  find(uid: string): OrderRecord | undefined {
    return this.#records.get(uid);
  }

  /** Drops what is remembered, except writes of ours that the caches do not show yet: without them the order would begin, or end, anew. */
  forget(uid: string): void {
    const old = this.#records.get(uid);
    this.#records.delete(uid);
    if (old?.written === undefined && old?.unlabelledVersion === undefined) return;
    const { contentName, written, unlabelledVersion } = old;
    this.#records.set(uid, { ...freshRecord(contentName), written, unlabelledVersion });
  }

  /** UIDs of the orders known under a content's name: more than one when it was recreated. */
  uidsOf(contentName: string): readonly string[] {
    return [...this.#records]
      .filter(([, record]) => record.contentName === contentName)
      .map(([uid]) => uid);
  }

  all(): readonly OrderRecord[] {
    return [...this.#records.values()];
  }
}
