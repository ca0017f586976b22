import { type Claim, type Turn, TurnQueue } from './turn.ts';

/** Turns to publish, for workers: they wait for theirs, and whoever looks at the order sees their place. */
export class PublishTurns {
  readonly #turns: TurnQueue;
  readonly #waiting = new Map<string, () => void>();

  /** `changed` as for TurnQueue. */
  constructor(limit: number, changed: (uid: string) => void) {
    this.#turns = new TurnQueue(limit, (uid) => {
      if (this.#turns.view(uid).state === 'granted') this.#waiting.get(uid)?.();
      changed(uid);
    });
  }

  /** Resolves once the order may publish; `onQueued` is called first where it has to wait. Rejects with the signal's reason, its place given up. */
  async take(claim: Claim, onQueued: () => void, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    const { uid } = claim;
    this.#turns.claim(claim);
    if (this.#turns.view(uid).state === 'granted') return;
    onQueued();
    try {
      await new Promise<void>((resolve, reject) => {
        this.#waiting.set(uid, resolve);
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    } catch (error) {
      this.#turns.yield(uid);
      throw error;
    } finally {
      this.#waiting.delete(uid);
    }
  }

  /** Gives up turn and place. */
  yield(uid: string): void {
    this.#turns.yield(uid);
  }

  view(uid: string): Turn {
    return this.#turns.view(uid);
  }

  /** Orders waiting; for metrics. */
  get depth(): number {
    return this.#turns.depth;
  }
}
