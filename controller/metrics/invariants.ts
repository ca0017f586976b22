import type { Metadata } from '../../core/api/metadata.ts';
import type { PodRestore } from '../../core/api/pod-restore.ts';
import type { PodSnapshot } from '../../core/api/pod-snapshot.ts';
import type { PodSnapshotContent } from '../../core/api/pod-snapshot-content.ts';
import { outcomeOf } from '../snapshot/outcome.ts';

/** Invariants of the design that can be seen to be broken from the objects alone. */
export type SeenInvariant = 'TerminalIsFinal' | 'TerminalProgress';

/** One that was broken, by which object, and how. */
export type Violation = {
  readonly invariant: SeenInvariant;
  readonly kind: 'PodSnapshot' | 'PodSnapshotContent' | 'PodRestore';
  readonly metadata: Metadata;
  readonly message: string;
};

/** Past the deadline, a cancel, its answer and a silent agent take a few minutes at most. */
const overdueMilliseconds = 600_000;

/**
 * Looks at every version of snapshots, contents and restores that the watch shows, and reports what must not be: each object once for each invariant. It
 * decides nothing and mends nothing.
 */
export class InvariantWatch {
  readonly #serverMilliseconds: () => number;
  readonly #report: (violation: Violation) => void;
  readonly #ends = new Map<string, 'ready' | 'failed'>();
  readonly #reported = new Map<string, Set<SeenInvariant>>();
  readonly #uids = new Map<string, string>();

  constructor(serverMilliseconds: () => number, report: (violation: Violation) => void) {
    this.#serverMilliseconds = serverMilliseconds;
    this.#report = report;
  }

  snapshot(key: string, object: PodSnapshot | undefined): void {
    this.#look('PodSnapshot', `snapshot ${key}`, object);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return;
    const { metadata, spec, status } = object;
    if (outcomeOf(status.conditions) !== 'open') return;
    this.#mind('PodSnapshot', metadata, spec.deadlineSeconds);
  }

  restore(key: string, object: PodRestore | undefined): void {
    this.#look('PodRestore', `restore ${key}`, object);
    if (object === undefined || object.metadata.deletionTimestamp !== undefined) return;
    const { metadata, spec, status } = object;
    if (outcomeOf(status.conditions) !== 'open') return;
    // A quota may hold up a cold start for as long again.
    const more = spec.onFailure === 'ColdStart' ? spec.deadlineSeconds : 0;
    this.#mind('PodRestore', metadata, spec.deadlineSeconds, more);
  }

  /** Open objects end by their deadline. */
  #mind(
    kind: Violation['kind'],
    metadata: Metadata,
    deadlineSeconds: number,
    moreSeconds = 0,
  ): void {
    const late = this.#serverMilliseconds() - Date.parse(metadata.creationTimestamp);
    const most = (deadlineSeconds + moreSeconds) * 1000 + overdueMilliseconds;
    if (!(late > most)) return;
    const message = `still open ${Math.round(late / 1000)} s after its creation; its deadline is ${deadlineSeconds} s`;
    this.#tell({ invariant: 'TerminalProgress', kind, metadata, message });
  }

  content(key: string, object: PodSnapshotContent | undefined): void {
    this.#look('PodSnapshotContent', `content ${key}`, object);
  }

  #look(
    kind: Violation['kind'],
    slot: string,
    object: PodSnapshot | PodSnapshotContent | PodRestore | undefined,
  ): void {
    const known = this.#uids.get(slot);
    if (known !== undefined && known !== object?.metadata.uid) this.#forget(slot, known);
    if (object === undefined) return;
    const { metadata, status } = object;
    this.#uids.set(slot, metadata.uid);
    const before = this.#ends.get(metadata.uid);
    const now = outcomeOf(status.conditions);
    if (now !== 'open') this.#ends.set(metadata.uid, now);
    // Ready may become a failure, when the bytes are found damaged or gone; everything else stays.
    if (before === undefined || before === now || (before === 'ready' && now === 'failed')) return;
    const message = `was ${before} and is ${now} again`;
    this.#tell({ invariant: 'TerminalIsFinal', kind, metadata, message });
  }

  #tell(violation: Violation): void {
    const { uid } = violation.metadata;
    const reported = this.#reported.get(uid) ?? new Set();
    if (reported.has(violation.invariant)) return;
    this.#reported.set(uid, reported.add(violation.invariant));
    this.#report(violation);
  }

  #forget(slot: string, uid: string): void {
    this.#uids.delete(slot);
    this.#ends.delete(uid);
    this.#reported.delete(uid);
  }
}
