/** A claim on something few orders may do at a time. `since`: creation time of the order, milliseconds; `priority`: of its source pod. */
export type Claim = { readonly uid: string; readonly priority: number; readonly since: number };

export type Turn =
  | { readonly state: 'none' }
  | { readonly state: 'granted' }
  | { readonly state: 'queued'; readonly place: number; readonly limit: number };

/**
 * Who may go on, where few may at a time. Dumps compete for disk and memory, and each slows the others' freeze; publishes compete for the way to
 * the store. Higher priorities first, then older orders, then by UID. A turn that was granted is kept until it is yielded; nobody is overtaken
 * once granted.
 */
export class TurnQueue {
  readonly #limit: number;
  readonly #granted = new Set<string>();
  readonly #waiting = new Map<string, Claim>();
  /** Called with each other order whose turn or place may have changed; it only enqueues. */
  readonly #changed: (uid: string) => void;

  constructor(limit: number, changed: (uid: string) => void) {
    this.#limit = limit;
    this.#changed = changed;
  }

  /** Takes a place; again is harmless. */
  claim(claim: Claim): void {
    if (this.#granted.has(claim.uid) || this.#waiting.has(claim.uid)) return;
    this.#waiting.set(claim.uid, claim);
    this.#grant(claim.uid);
  }

  /** Gives up turn and place. */
  yield(uid: string): void {
    const gone = this.#granted.delete(uid) || this.#waiting.delete(uid);
    if (gone) this.#grant(uid);
  }

  view(uid: string): Turn {
    if (this.#granted.has(uid)) return { state: 'granted' };
    const at = this.#order().findIndex((claim) => claim.uid === uid);
    return at < 0 ? { state: 'none' } : { state: 'queued', place: at + 1, limit: this.#limit };
  }

  /** Orders waiting; for metrics. */
  get depth(): number {
    return this.#waiting.size;
  }

  #order(): readonly Claim[] {
    return [...this.#waiting.values()].sort(
      (a, b) => b.priority - a.priority || a.since - b.since || (a.uid < b.uid ? -1 : 1),
    );
  }

  /** Who caused the change looks again by itself; telling it would never end. */
  #grant(cause: string): void {
    for (const claim of this.#order()) {
      if (this.#granted.size < this.#limit) {
        this.#waiting.delete(claim.uid);
        this.#granted.add(claim.uid);
      }
      if (claim.uid !== cause) this.#changed(claim.uid);
    }
  }
}
