import type { Parsed } from '../core/api/metadata.ts';
import { type Clock, sleep } from '../core/clock.ts';
import { errorText, Failure, isFailure } from '../core/failure.ts';
import { backOffMilliseconds, type Random, reflectorBackOff } from './back-off.ts';
import { failureOfWatchError } from './kube-error.ts';
import type { Kube, RawObject, Selection, WatchEvent } from './kube-port.ts';
import type { Log } from './log.ts';
import { type Indexes, ObjectCache, type ObjectReader } from './object-cache.ts';
import { cacheKey, identityOf, recordAt } from './raw-object.ts';

/** What a reflector reports; for metrics. */
export type ReflectorObserver = {
  readonly listed: (objects: number) => void;
  /** A stream or a list ended; 'Closed' is the server's ordinary end, everything else the reason of a failure. */
  readonly restarted: (reason: string) => void;
};

export const silentReflectorObserver: ReflectorObserver = { listed: () => {}, restarted: () => {} };

export type ReflectorState = 'idle' | 'listing' | 'streaming' | 'waiting' | 'stopped';

export type ReflectorOptions<T, Name extends string> = {
  readonly kube: Kube;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly observer: ReflectorObserver;
  readonly selection: Selection;
  /** At the door: an object that does not parse is reported, kept out of the cache and named by `problem`. */
  readonly parse: (raw: RawObject) => Parsed<T>;
  /** Enqueue the key and return: work done here holds up the stream. `undefined`: deleted, or it does not parse. */
  readonly onChange: (key: string, object: T | undefined) => void;
  readonly indexes: Indexes<T, Name>;
  /** A watch without any message (the server sends bookmarks about every minute) is restarted after this long. */
  readonly silenceMilliseconds: number;
};

/** So few that what a page leaves behind is collected before the next: with 500, 10,000 objects cost twice the memory. */
const pageLimit = 100;
/** A stream that lasted this long was a good one: what ends it later starts with a short pause again. */
const steadyMilliseconds = 10_000;

/**
 * A copy of the objects of one selection, kept by list and watch. One loop owns every restart; whatever ends a list or a stream leads back to
 * it, after a pause that grows while streams are short. It never gives up and never throws.
 */
export class Reflector<T, Name extends string = never> implements ObjectReader<T, Name> {
  /** Resolves after the first complete list; rejects with the signal's reason when stopped before. */
  readonly synced: Promise<void>;
  readonly #options: ReflectorOptions<T, Name>;
  readonly #cache: ObjectCache<T, Name>;
  readonly #problems = new Map<string, string>();
  #resolveSynced: () => void = () => {};
  #rejectSynced: (reason: unknown) => void = () => {};
  #state: ReflectorState = 'idle';
  #version = '';
  /** 0 after a continue token expired: then everything in one answer, so that a slow reader gets through. */
  #limit = pageLimit;
  #failures = 0;
  #heardAt: number;

  constructor(options: ReflectorOptions<T, Name>) {
    this.#options = options;
    this.#cache = new ObjectCache(options.indexes);
    this.#heardAt = options.clock.monotonicMilliseconds();
    this.synced = new Promise((resolve, reject) => {
      this.#resolveSynced = resolve;
      this.#rejectSynced = reject;
    });
    // Who does not wait for it must not die of it.
    this.synced.catch(() => {});
  }

  get state(): ReflectorState {
    return this.#state;
  }

  get size(): number {
    return this.#cache.size;
  }

  get(key: string): T | undefined {
    return this.#cache.get(key);
  }

  list(): readonly T[] {
    return this.#cache.list();
  }

  byIndex(index: Name, value: string): readonly T[] {
    return this.#cache.byIndex(index, value);
  }

  /** Why the object of this key, which exists, is not in the cache; undefined when there is no such trouble. */
  problem(key: string): string | undefined {
    return this.#problems.get(key);
  }

  /** Milliseconds since the server last said anything, bookmarks included. */
  silentForMilliseconds(): number {
    return this.#options.clock.monotonicMilliseconds() - this.#heardAt;
  }

  /** Keeps the copy until the signal aborts, then resolves. Call once. */
  async run(signal: AbortSignal): Promise<void> {
    let listed = false;
    while (!signal.aborted) {
      const startedAt = this.#options.clock.monotonicMilliseconds();
      try {
        if (!listed) {
          this.#state = 'listing';
          await this.#list(signal);
          listed = true;
        }
        this.#state = 'streaming';
        await this.#stream(signal);
        await this.#pause('Closed', startedAt, 0, signal);
      } catch (error) {
        if (signal.aborted) break;
        if (isFailure(error, 'gone')) listed = false;
        await this.#failed(error, startedAt, signal);
      }
    }
    this.#state = 'stopped';
    this.#rejectSynced(signal.reason);
  }

  async #failed(error: unknown, startedAt: number, signal: AbortSignal): Promise<void> {
    const { log, selection } = this.#options;
    const reason = isFailure(error) ? error.reason : 'Unexpected';
    const fields = { kind: selection.kind.kind, reason, error: errorText(error) };
    const expected = isFailure(error, 'gone') || reason === 'ConnectionFailed';
    log[expected ? 'info' : 'warn'](fields, 'reflector starts again');
    const asked = isFailure(error) ? (error.retryAfterMilliseconds ?? 0) : 0;
    await this.#pause(reason, startedAt, asked, signal);
  }

  async #pause(
    reason: string,
    startedAt: number,
    atLeast: number,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, observer, random } = this.#options;
    observer.restarted(reason);
    const steady = clock.monotonicMilliseconds() - startedAt >= steadyMilliseconds;
    if (steady) this.#failures = 0;
    if (steady && reason === 'Closed') return;
    this.#failures += 1;
    const pause = backOffMilliseconds(reflectorBackOff, this.#failures, random);
    this.#state = 'waiting';
    // Rejects only when the signal aborts, which the loop looks at.
    await sleep(clock, Math.max(pause, atLeast), signal).catch(() => {});
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { kube, selection, observer } = this.#options;
    // Version 0 lets the server answer from its cache; only before we have seen anything, because that cache may be older than what we saw. It
    // makes the server ignore the limit, so a whole kind, which may be large, is read in pages instead.
    const { fieldSelector, labelSelector } = selection;
    const isPart = fieldSelector !== undefined || labelSelector !== undefined;
    const from = this.#version === '' && isPart ? { resourceVersion: '0' } : {};
    const seen = new Set<string>();
    let continued: { readonly continue: string } | undefined;
    for (;;) {
      const request = { ...selection, limit: this.#limit, ...(continued ?? from) };
      const page = await kube.list(request, signal).catch((error: unknown) => {
        if (continued !== undefined && isFailure(error, 'gone')) this.#limit = 0;
        throw error;
      });
      this.#heard();
      for (const raw of page.items) seen.add(this.#take(raw));
      if (page.continue === '') {
        this.#version = page.resourceVersion;
        break;
      }
      continued = { continue: page.continue };
    }
    this.#limit = pageLimit;
    for (const key of [...this.#cache.keys(), ...this.#problems.keys()]) {
      if (!seen.has(key)) this.#drop(key);
    }
    observer.listed(seen.size);
    this.#resolveSynced();
  }

  async #stream(outer: AbortSignal): Promise<void> {
    const { kube, clock, random, selection, silenceMilliseconds } = this.#options;
    const silent = new AbortController();
    const onSilence = (): void => {
      const message = `no message on the watch of ${selection.kind.plural} for ${silenceMilliseconds} ms`;
      silent.abort(new Failure('retry', 'Silent', message));
    };
    const timeoutSeconds = 300 + Math.floor(random() * 300);
    const request = { ...selection, resourceVersion: this.#version, timeoutSeconds };
    let cancel = clock.after(silenceMilliseconds, onSilence);
    try {
      for await (const event of kube.watch(request, AbortSignal.any([outer, silent.signal]))) {
        cancel();
        cancel = clock.after(silenceMilliseconds, onSilence);
        this.#heard();
        this.#receive(event);
      }
    } finally {
      cancel();
    }
  }

  #receive(event: WatchEvent): void {
    if (event.type === 'ERROR') {
      throw failureOfWatchError(event.object, `watch ${this.#options.selection.kind.plural}`);
    }
    const { namespace, name, resourceVersion } = identityOf(event.object);
    if (event.type === 'DELETED') this.#drop(cacheKey(namespace, name));
    else if (event.type !== 'BOOKMARK') this.#take(event.object);
    if (resourceVersion !== '') this.#version = resourceVersion;
  }

  /** Takes an object into the cache and returns its key. */
  #take(raw: RawObject): string {
    const { namespace, name, resourceVersion } = identityOf(raw);
    const key = cacheKey(namespace, name);
    if (this.#cache.versionOf(key) === resourceVersion) return key;
    const { managedFields: _managedFields, ...metadata } = recordAt(raw, 'metadata');
    const parsed = this.#options.parse({ ...raw, metadata });
    if (parsed.ok) {
      this.#problems.delete(key);
      this.#cache.set(key, parsed.value, resourceVersion);
      this.#tell(key, parsed.value);
      return key;
    }
    this.#cache.delete(key);
    if (this.#problems.get(key) !== parsed.message) {
      const fields = { kind: this.#options.selection.kind.kind, key, problem: parsed.message };
      this.#options.log.warn(fields, 'object does not parse');
    }
    this.#problems.set(key, parsed.message);
    this.#tell(key, undefined);
    return key;
  }

  #drop(key: string): void {
    const known = [this.#cache.delete(key), this.#problems.delete(key)];
    if (known.includes(true)) this.#tell(key, undefined);
  }

  /** A handler that throws must neither end the stream nor keep the version from moving on. */
  #tell(key: string, object: T | undefined): void {
    try {
      this.#options.onChange(key, object);
    } catch (error) {
      this.#options.log.error({ key, error: errorText(error) }, 'change handler failed');
    }
  }

  #heard(): void {
    this.#heardAt = this.#options.clock.monotonicMilliseconds();
  }
}
