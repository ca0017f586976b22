import { type Clock, sleep } from '../../../core/clock.ts';

/** What a dump has written so far. */
export type Written = {
  /** Bytes that count as progress: memory and files of the source. */
  readonly bytes: number;
  /** Bytes of everything, logs included: they grow as long as CRIU does anything at all. */
  readonly activity: number;
};

export type FreezeWatchDeps = {
  readonly clock: Clock;
  /** Whether somebody holds the source now. */
  readonly isStopped: () => Promise<boolean>;
  readonly measure: () => Promise<Written>;
  /** A few times a second while the source stands still. */
  readonly onProgress: (bytes: number) => void;
  /** The budget has run out. Called once at most. */
  readonly onOver: (bytes: number) => void;
  /** Nothing was written for so long, and the hold is not reached. Called once at most. */
  readonly onStalled: (forMilliseconds: number) => void;
};

/** Until the first stop is seen it is looked for this often: how much too long a freeze is taken at most. */
const stopLookMilliseconds = 10;
/** Also how old the number of bytes in a message can be. */
const progressMilliseconds = 250;
/** CRIU logs every run of pages: silence for so long is a disk or a peer that does not answer. It has no deadline of its own. */
const stallMilliseconds = 60_000;

/** Watches one freeze from outside: when it began, how far the dump is, whether it may last on. Ends nothing itself, and stops looking at `end`. */
export class FreezeWatch {
  readonly #deps: FreezeWatchDeps;
  readonly #budgetMilliseconds: number | undefined;
  readonly #end = new AbortController();
  #held = false;
  #bytes = 0;

  /** `budgetMilliseconds`: how long the source may stand still from its first stop. */
  constructor(deps: FreezeWatchDeps, budgetMilliseconds: number | undefined) {
    this.#deps = deps;
    this.#budgetMilliseconds = budgetMilliseconds;
    // A file or a process that is gone means that the dump is ending: then there is nothing left to watch.
    this.#watch().catch(() => undefined);
  }

  /** The hold is reached: CRIU has a reason to be silent now. */
  held(): void {
    this.#held = true;
  }

  /** The source runs again. Idempotent. */
  end(): void {
    this.#end.abort();
  }

  async #watch(): Promise<void> {
    const { clock } = this.#deps;
    const { signal } = this.#end;
    let lastSeenRunning = clock.monotonicMilliseconds();
    for (;;) {
      const lookedAt = clock.monotonicMilliseconds();
      if (await this.#deps.isStopped()) break;
      lastSeenRunning = lookedAt;
      await sleep(clock, stopLookMilliseconds, signal);
    }
    this.#limit(lastSeenRunning);
    await this.#follow();
  }

  #limit(frozenSince: number): void {
    const { clock, onOver } = this.#deps;
    if (this.#budgetMilliseconds === undefined || this.#end.signal.aborted) return;
    const left = frozenSince + this.#budgetMilliseconds - clock.monotonicMilliseconds();
    const cancel = clock.after(left, () => onOver(this.#bytes));
    this.#end.signal.addEventListener('abort', cancel, { once: true });
  }

  async #follow(): Promise<void> {
    const { clock, measure, onProgress, onStalled } = this.#deps;
    let activity = -1;
    let activeAt = clock.monotonicMilliseconds();
    for (let stalled = false; ; ) {
      const written = await measure();
      if (this.#end.signal.aborted) return;
      const now = clock.monotonicMilliseconds();
      this.#bytes = written.bytes;
      onProgress(written.bytes);
      if (written.activity !== activity || this.#held) {
        activity = written.activity;
        activeAt = now;
      } else if (!stalled && now - activeAt >= stallMilliseconds) {
        stalled = true;
        onStalled(now - activeAt);
      }
      await sleep(clock, progressMilliseconds, this.#end.signal);
    }
  }
}
