import type { Kube, ServerClock } from '../../../../runtime/kube-port.ts';
import type { MemoryKube } from '../../../support/memory-kube.ts';

/** What happens around one call of a controller: it may throw, or let somebody else act. */
export type Around = (moment: 'before' | 'after') => Promise<void>;

/** A stream that can be held up: a cache behind it shows the past. */
class Gate {
  #closed = false;
  #waiting: (() => void)[] = [];

  close(): void {
    this.#closed = true;
  }

  open(): void {
    this.#closed = false;
    for (const go of this.#waiting.splice(0)) go();
  }

  /** Lets through what waits now, and holds up the next. */
  openOnce(): void {
    for (const go of this.#waiting.splice(0)) go();
  }

  async pass(signal: AbortSignal): Promise<void> {
    if (!this.#closed) return;
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
    signal.throwIfAborted();
  }
}

/** The API server as one controller process reaches it: calls that can be disturbed and watches that can lag behind, kind by kind. */
export class ControllerKube implements Kube, ServerClock {
  /** Disturbs the calls of the reconcile that runs; undefined: nothing happens. */
  around: Around | undefined;
  readonly #server: MemoryKube;
  readonly #writing: (on: boolean) => void;
  readonly #gates = new Map<string, Gate>();

  /** `writing` is told when a write is about to take effect, and when it is over. */
  constructor(server: MemoryKube, writing: (on: boolean) => void) {
    this.#server = server;
    this.#writing = writing;
  }

  gate(kind: string): Gate {
    const gate = this.#gates.get(kind) ?? new Gate();
    this.#gates.set(kind, gate);
    return gate;
  }

  serverTime: ServerClock['serverTime'] = () => this.#server.serverTime();

  get: Kube['get'] = (key, signal) => this.#call(() => this.#server.get(key, signal));

  /** Lists of all namespaces are those of the reflectors. */
  list: Kube['list'] = (selection, signal) => {
    const send = () => this.#server.list(selection, signal);
    return selection.namespace === undefined ? send() : this.#call(send);
  };

  async *watch(...[selection, signal]: Parameters<Kube['watch']>): ReturnType<Kube['watch']> {
    const gate = this.gate(selection.kind.kind);
    for await (const event of this.#server.watch(selection, signal)) {
      await gate.pass(signal);
      yield event;
    }
  }

  create: Kube['create'] = (kind, object, options, signal) =>
    this.#write(() => this.#server.create(kind, object, options, signal));

  patch: Kube['patch'] = (key, subresource, patch, signal) =>
    this.#write(() => this.#server.patch(key, subresource, patch, signal));

  delete: Kube['delete'] = (key, preconditions, signal) =>
    this.#write(() => this.#server.delete(key, preconditions, signal));

  #write<T>(send: () => Promise<T>): Promise<T> {
    return this.#call(async () => {
      this.#writing(true);
      try {
        return await send();
      } finally {
        this.#writing(false);
      }
    });
  }

  async #call<T>(send: () => Promise<T>): Promise<T> {
    await this.around?.('before');
    const answer = await send();
    await this.around?.('after');
    return answer;
  }
}
