import { Readable } from 'node:stream';
import { type Clock, sleep } from '../../core/clock.ts';
import type { SnapshotStore } from '../store/store.ts';

/** Longest sleep before the rate is asked for again: a cap that is lifted must not be waited out. */
const longestSleepMilliseconds = 1000;

/** Debt with which one may go on: while it is worked off the next bytes are read and compressed, and the rate is reached. */
const slackSeconds = 0.25;

/** A bound on bytes a second that can change at any moment: who has written runs into debt, and goes on when it is worked off. */
export class Pace {
  readonly #clock: Clock;
  readonly #rate: () => Promise<number | undefined>;
  #debtBytes = 0;
  #paidAt: number;

  /** `rate`: bytes a second now; undefined for no bound. */
  constructor(clock: Clock, rate: () => Promise<number | undefined>) {
    this.#clock = clock;
    this.#rate = rate;
    this.#paidAt = clock.monotonicMilliseconds();
  }

  /** To be called after so many bytes were written; resolves when more may be. */
  async spend(bytes: number, signal: AbortSignal): Promise<void> {
    this.#pay(await this.#rate());
    this.#debtBytes += bytes;
    for (;;) {
      const rate = await this.#rate();
      this.#pay(rate);
      if (rate === undefined || this.#debtBytes <= rate * slackSeconds) return;
      const milliseconds = Math.ceil((this.#debtBytes / rate - slackSeconds) * 1000);
      await sleep(this.#clock, Math.min(milliseconds, longestSleepMilliseconds), signal);
    }
  }

  #pay(rate: number | undefined): void {
    const now = this.#clock.monotonicMilliseconds();
    const paid = rate === undefined ? Infinity : ((now - this.#paidAt) / 1000) * rate;
    this.#debtBytes = Math.max(0, this.#debtBytes - paid);
    this.#paidAt = now;
  }
}

/** The same store, written to at a bounded pace, with a word about each blob that was really written. What is there already costs nothing. */
export function pacedStore(
  store: SnapshotStore,
  pace: Pick<Pace, 'spend'>,
  onWritten: (bytes: number) => void,
): SnapshotStore {
  return {
    ...store,
    putBlob: async (digest, sizeBytes, content, signal, taken) => {
      const streamed = content instanceof Readable;
      const paced = streamed ? Readable.from(pacedPieces(content, pace, signal)) : content;
      try {
        let spent: Promise<void> | undefined;
        const takenAtPace = (): void => {
          if (streamed) return;
          spent = pace.spend(sizeBytes, signal);
          // Whoever puts hears of a failure below.
          spent.then(taken, () => undefined);
        };
        const result = await store.putBlob(digest, sizeBytes, paced, signal, takenAtPace);
        if (result.written) onWritten(sizeBytes);
        if (result.written && !streamed) await (spent ?? pace.spend(sizeBytes, signal));
        return result;
      } finally {
        // The store closes what it is given, and that closes nothing before its first piece was asked for.
        if (streamed) content.destroy();
      }
    },
  };
}

async function* pacedPieces(
  content: Readable,
  pace: Pick<Pace, 'spend'>,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  for await (const piece of content) {
    yield piece;
    await pace.spend(piece.byteLength, signal);
  }
}
