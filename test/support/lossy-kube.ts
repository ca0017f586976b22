import type { Clock } from '../../core/clock.ts';
import { Failure } from '../../core/failure.ts';
import type { Kube } from '../../runtime/kube-port.ts';
import type { FakeClock } from './fake-clock.ts';

/** A machine of a model: its own clock rate, pauses of the whole process, and a network that loses or delays. */
export class ModelMachine implements Clock {
  /** What happens to the calls made from now on. */
  network: 'good' | 'lost' | 'answer-lost' | 'late' = 'good';
  readonly #base: FakeClock;
  readonly #rate: number;
  readonly #deferred: (() => void)[] = [];
  #paused = false;

  constructor(base: FakeClock, rate: number) {
    this.#base = base;
    this.#rate = rate;
  }

  wallMilliseconds(): number {
    return this.#base.wallMilliseconds();
  }

  monotonicMilliseconds(): number {
    return this.#base.monotonicMilliseconds() * this.#rate;
  }

  after(milliseconds: number, call: () => void): () => void {
    let cancelled = false;
    const cancel = this.#base.after(milliseconds / this.#rate, () => {
      this.#whenAwake(() => {
        if (!cancelled) call();
      });
    });
    return () => {
      cancelled = true;
      cancel();
    };
  }

  /** As SIGSTOP: no timer fires and no answer is seen until `resume`. */
  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    for (const call of this.#deferred.splice(0)) call();
  }

  /** The server as this machine reaches it. A call once sent may take effect long after its caller gave up. */
  reach(server: Kube): Kube {
    const never = new AbortController().signal;
    const send = async <T>(call: () => Promise<T>): Promise<T> => {
      const { network } = this;
      const failure = new Failure('retry', 'ConnectionLost', network);
      if (network === 'lost') throw failure;
      if (network === 'late') await this.#travel(17_000);
      const answer = await call().then(
        (value) => () => value,
        (error: unknown) => () => {
          throw error;
        },
      );
      await this.#travel(5);
      if (network === 'answer-lost') throw failure;
      await new Promise<void>((resolve) => this.#whenAwake(resolve));
      return answer();
    };
    return {
      get: (key) => send(() => server.get(key, never)),
      list: (selection) => send(() => server.list(selection, never)),
      watch: (selection, signal) => server.watch(selection, signal),
      create: (kind, object, options) => send(() => server.create(kind, object, options, never)),
      patch: (key, part, patch) => send(() => server.patch(key, part, patch, never)),
      delete: (key, preconditions) => send(() => server.delete(key, preconditions, never)),
    };
  }

  #travel(milliseconds: number): Promise<void> {
    return new Promise((resolve) => void this.#base.after(milliseconds, resolve));
  }

  #whenAwake(call: () => void): void {
    if (this.#paused) this.#deferred.push(call);
    else call();
  }
}
