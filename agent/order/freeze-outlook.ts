/** Below it a measurement says more about starting programs than about bytes. */
const leastBytes = 16 * 2 ** 20;
const remembered = 9;
/** What a dump costs without a byte: seizing, the hold, the thaw. Seen to be 0.2 to 0.5 s. */
const fixedMilliseconds = 500;

/** Bytes per millisecond of one kind of work on this node, from the last few times. */
class Rate {
  readonly #measured: number[] = [];
  readonly #assumed: number;

  constructor(assumedBytesPerSecond: number) {
    this.#assumed = assumedBytesPerSecond / 1000;
  }

  note(bytes: number, milliseconds: number): void {
    if (bytes < leastBytes || milliseconds <= 0) return;
    this.#measured.push(bytes / milliseconds);
    if (this.#measured.length > remembered) this.#measured.shift();
  }

  /** The median: one dump beside a busy neighbour must not refuse the next. */
  millisecondsFor(bytes: number): number {
    const sorted = this.#measured.toSorted((one, other) => one - other);
    return bytes / (sorted[Math.floor(sorted.length / 2)] ?? this.#assumed);
  }
}

/** How long a freeze will last, from what this node was seen to do; before that, from what a plain disk does. */
export class FreezeOutlook {
  readonly #dump = new Rate(200e6);
  readonly #publish = new Rate(50e6);

  dumped(bytes: number, milliseconds: number): void {
    // With what it cost besides: too slow rather than too fast.
    this.#dump.note(bytes, milliseconds);
  }

  published(bytes: number, milliseconds: number): void {
    this.#publish.note(bytes, milliseconds);
  }

  /** A source that is to be ended stays frozen until its artifact is stored. */
  expectedMilliseconds(bytes: number, afterCapture: 'Resume' | 'Terminate'): number {
    const dump = fixedMilliseconds + this.#dump.millisecondsFor(bytes);
    const publish = afterCapture === 'Terminate' ? this.#publish.millisecondsFor(bytes) : 0;
    return Math.round(dump + publish);
  }
}
