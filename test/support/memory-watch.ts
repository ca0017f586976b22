import type { Clock } from '../../core/clock.ts';
import type { RawObject, Selection, WatchEvent } from '../../runtime/kube-port.ts';
import { selects } from './object-selector.ts';

/** One stored change; `old` is what stood there before. */
export type Change = {
  readonly at: string;
  readonly version: number;
  readonly object: RawObject;
  readonly old: RawObject | undefined;
  readonly deleted: boolean;
};

/** One open watch: a queue of events that an async iterator drains. */
export class MemoryWatch implements AsyncIterable<WatchEvent> {
  readonly #prefix: string;
  readonly #kind: Selection['kind'];
  readonly #matches: (object: RawObject) => boolean;
  readonly #signal: AbortSignal;
  readonly #events: WatchEvent[] = [];
  readonly #cancelTimeout: () => void;
  #ended = false;
  #wake: () => void = () => {};

  constructor(
    selection: Selection & { readonly timeoutSeconds: number },
    clock: Clock,
    signal: AbortSignal,
  ) {
    this.#kind = selection.kind;
    this.#prefix = `${selection.kind.group}/${selection.kind.plural}|`;
    this.#matches = selects(selection);
    this.#signal = signal;
    this.#cancelTimeout = clock.after(selection.timeoutSeconds * 1000, () => this.end());
    signal.addEventListener('abort', () => this.end(), { once: true });
  }

  push(event: WatchEvent): void {
    this.#events.push(structuredClone(event));
    this.#wake();
  }

  /** Passes a change on as this selection sees it: an object that enters it is ADDED, one that leaves it DELETED. */
  offer(change: Change): void {
    if (!change.at.startsWith(this.#prefix)) return;
    const was = change.old !== undefined && this.#matches(change.old);
    const is = !change.deleted && this.#matches(change.object);
    if (was && is) this.push({ type: 'MODIFIED', object: change.object });
    else if (is) this.push({ type: 'ADDED', object: change.object });
    else if (was) this.push({ type: 'DELETED', object: change.object });
  }

  bookmark(resourceVersion: string): void {
    const { kind } = this.#kind;
    this.push({ type: 'BOOKMARK', object: { kind, metadata: { resourceVersion } } });
  }

  end(): void {
    this.#ended = true;
    this.#cancelTimeout();
    this.#wake();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<WatchEvent> {
    for (;;) {
      this.#signal.throwIfAborted();
      const event = this.#events.shift();
      if (event !== undefined) yield event;
      else if (this.#ended) return;
      else await new Promise<void>((resolve) => (this.#wake = resolve));
    }
  }
}
