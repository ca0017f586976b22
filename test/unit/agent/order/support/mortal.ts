/** A process that can be killed between any two of its effects. What it still awaits never answers; what it still calls does nothing. */
export class Mortal {
  readonly number: number;
  readonly #onDeath: () => void;
  readonly #dieAfter: number;
  #effects = 0;
  #dead = false;

  /** `dieAfter`: the number of the effect that is its last; Infinity for a long life. */
  constructor(number: number, dieAfter: number, onDeath: () => void) {
    this.number = number;
    this.#dieAfter = dieAfter;
    this.#onDeath = onDeath;
  }

  get dead(): boolean {
    return this.#dead;
  }

  get effects(): number {
    return this.#effects;
  }

  kill(): void {
    if (this.#dead) return;
    this.#dead = true;
    this.#onDeath();
  }

  /** Runs an effect to its end and dies of it if it is the last one. */
  async effect<T>(call: () => Promise<T> | T): Promise<T> {
    if (this.#dead) return never();
    const result = await this.#outcome(call);
    this.#count();
    if (this.#dead) return never();
    if ('error' in result) throw result.error;
    return result.value;
  }

  /** Waits that are no effects: a dead process never wakes up. */
  async wait<T>(call: () => Promise<T>): Promise<T> {
    if (this.#dead) return never();
    const result = await this.#outcome(call);
    if (this.#dead) return never();
    if ('error' in result) throw result.error;
    return result.value;
  }

  /** A synchronous effect. A dead process throws instead; whatever it does then has no effect either. */
  effectNow<T>(call: () => T): T {
    if (this.#dead) throw new Error('this process is dead');
    const result = call();
    this.#count();
    if (this.#dead) throw new Error('this process has just died');
    return result;
  }

  #count(): void {
    if (this.#dead) return;
    this.#effects += 1;
    if (this.#effects >= this.#dieAfter) this.kill();
  }

  async #outcome<T>(
    call: () => Promise<T> | T,
  ): Promise<{ readonly value: T } | { readonly error: unknown }> {
    try {
      return { value: await call() };
    } catch (error) {
      return { error };
    }
  }
}

const never = <T>(): Promise<T> => new Promise(() => {});
