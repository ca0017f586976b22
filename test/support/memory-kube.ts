import { timestamp } from '../../core/api/conditions.ts';
import type { Kind } from '../../core/api/kinds.ts';
import { type Clock, systemClock } from '../../core/clock.ts';
import { Failure } from '../../core/failure.ts';
import type {
  Kube,
  ObjectKey,
  Page,
  Patch,
  Preconditions,
  RawObject,
  Selection,
  ServerClock,
  ServerTime,
  WatchEvent,
} from '../../runtime/kube-port.ts';
import { cacheKey, describeKey, identityOf, recordAt, textAt } from '../../runtime/raw-object.ts';
import { finalizersOf, hasStatus, preparedForCreate, updatedObject } from './memory-object.ts';
import { type Change, MemoryWatch } from './memory-watch.ts';
import { applyPatch } from './object-patch.ts';
import { selects } from './object-selector.ts';

export type KubeVerb = 'get' | 'list' | 'watch' | 'create' | 'patch' | 'patch-status' | 'delete';

/** One call as hooks and the log see it; `name` is '' for list and watch. */
export type KubeCall = {
  readonly verb: KubeVerb;
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly body?: unknown;
};

/** Runs before or after a call takes effect; what it throws is what the caller sees. Thrown by `after`, the write has happened and its answer is lost. */
export type KubeHook = (call: KubeCall) => void | Promise<void>;

/**
 * An API server in memory: resourceVersions, optimistic conflicts, finalizers, generation, status split, selectors, paging, watch with history.
 * It passes the contract suite that a real server passes. No defaulting, no validation, no garbage collector unless `collectGarbage` is called.
 */
export class MemoryKube implements Kube, ServerClock {
  /** Every call in order, refused ones too. */
  readonly calls: KubeCall[] = [];
  before: KubeHook = () => {};
  after: KubeHook = () => {};
  changed: (change: Change) => void = () => {};
  readonly #clock: Clock;
  readonly #objects = new Map<string, RawObject>();
  readonly #history: Change[] = [];
  readonly #watches = new Set<MemoryWatch>();
  readonly #pages = new Map<string, readonly RawObject[]>();
  #version = 1;
  #compactedAt = 0;
  #uid = 0;

  constructor(clock: Clock = systemClock) {
    this.#clock = clock;
  }

  /** Calls that wrote something or tried to. */
  get writes(): readonly KubeCall[] {
    return this.calls.filter((call) => !['get', 'list', 'watch'].includes(call.verb));
  }

  serverTime(): ServerTime {
    return {
      wallMilliseconds: Math.floor(this.#clock.wallMilliseconds() / 1000) * 1000,
      monotonicMilliseconds: this.#clock.monotonicMilliseconds(),
    };
  }

  /** The stored object or undefined, outside the call log. */
  peek(key: ObjectKey): RawObject | undefined {
    return this.#objects.get(slot(key));
  }

  /** All stored objects of a kind, outside the call log. */
  all(kind: Kind): readonly RawObject[] {
    return [...this.#objects]
      .filter(([at]) => at.startsWith(`${kind.group}/${kind.plural}|`))
      .map(([, object]) => object);
  }

  /** Forgets the history: watches from older versions meet 410, and so do continue tokens. */
  compact(): void {
    this.#history.length = 0;
    this.#compactedAt = this.#version;
    this.#pages.clear();
  }

  /** Ends all watches, as a server does that stops. */
  closeWatches(): void {
    for (const watch of this.#watches) watch.end();
  }

  /** Sends a bookmark to every watch. */
  bookmark(): void {
    for (const watch of this.#watches) watch.bookmark(String(this.#version));
  }

  /** What the garbage collector would do: deletes objects all of whose owners are gone, until nothing changes. */
  async collectGarbage(): Promise<void> {
    const uids = new Set([...this.#objects.values()].map((object) => identityOf(object).uid));
    for (const [at, object] of this.#objects) {
      const owners = recordAt(object, 'metadata').ownerReferences;
      if (!Array.isArray(owners) || owners.length === 0) continue;
      if (recordAt(object, 'metadata').deletionTimestamp !== undefined) continue;
      if (owners.some((owner) => uids.has(textAt(owner, 'uid')))) continue;
      this.#remove(at, object);
      return this.collectGarbage();
    }
  }

  async get(key: ObjectKey, signal: AbortSignal): Promise<RawObject> {
    return this.#call({ verb: 'get', ...address(key) }, signal, () =>
      structuredClone(this.#stored(key)),
    );
  }

  async list(
    selection: Selection & { readonly limit: number; readonly continue?: string },
    signal: AbortSignal,
  ): Promise<Page> {
    return this.#call({ verb: 'list', ...place(selection) }, signal, () => {
      const token = selection.continue ?? '';
      const [version = '', from = '0'] = token.split('@');
      const all = token === '' ? this.#matching(selection) : this.#pages.get(version);
      if (all === undefined) throw expired();
      const start = Number(from);
      const end = selection.limit > 0 ? start + selection.limit : all.length;
      const at = token === '' ? String(this.#version) : version;
      if (end < all.length) this.#pages.set(at, all);
      return {
        items: structuredClone(all.slice(start, end)),
        resourceVersion: at,
        continue: end < all.length ? `${at}@${end}` : '',
      };
    });
  }

  async *watch(
    selection: Selection & { readonly resourceVersion: string; readonly timeoutSeconds: number },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent> {
    const watch = await this.#call({ verb: 'watch', ...place(selection) }, signal, () => {
      const opened = new MemoryWatch(selection, this.#clock, signal);
      const from = Number(selection.resourceVersion || '0');
      if (from === 0) {
        for (const object of this.#matching(selection)) opened.push({ type: 'ADDED', object });
      } else if (from < this.#compactedAt) {
        const status = { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' };
        opened.push({ type: 'ERROR', object: status });
        opened.end();
      } else {
        for (const change of this.#history) if (change.version > from) opened.offer(change);
      }
      this.#watches.add(opened);
      return opened;
    });
    try {
      yield* watch;
    } finally {
      watch.end();
      this.#watches.delete(watch);
    }
  }

  async create(
    kind: Kind,
    object: RawObject,
    options: { readonly dryRun: boolean },
    signal: AbortSignal,
  ): Promise<RawObject> {
    this.#uid += 1;
    const now = this.#clock.wallMilliseconds();
    const prepared = preparedForCreate(kind, object, `uid-${this.#uid}`, now);
    const { name, namespace } = identityOf(prepared);
    const key = { kind, namespace, name };
    return this.#call({ verb: 'create', ...address(key), body: object }, signal, () => {
      if (this.#objects.has(slot(key))) {
        throw new Failure('conflict', 'AlreadyExists', `${describeKey(key)} already exists`);
      }
      if (options.dryRun) return prepared;
      return structuredClone(this.#store(slot(key), prepared, undefined));
    });
  }

  async patch(
    key: ObjectKey,
    subresource: '' | 'status',
    patch: Patch,
    signal: AbortSignal,
  ): Promise<RawObject> {
    const verb = subresource === '' ? 'patch' : 'patch-status';
    return this.#call({ verb, ...address(key), body: patch.body }, signal, () => {
      const old = this.#stored(key);
      if (subresource === 'status' && !hasStatus(key.kind)) throw notFound(key);
      const next = updatedObject(key, subresource, old, applyPatch(old, patch));
      if (JSON.stringify(next) === JSON.stringify(old)) return structuredClone(old);
      const deleting = recordAt(next, 'metadata').deletionTimestamp !== undefined;
      if (deleting && finalizersOf(next).length === 0) {
        this.#remove(slot(key), next);
        return structuredClone(next);
      }
      return structuredClone(this.#store(slot(key), next, old));
    });
  }

  async delete(key: ObjectKey, preconditions: Preconditions, signal: AbortSignal): Promise<void> {
    const call = { verb: 'delete', ...address(key), body: preconditions } as const;
    await this.#call(call, signal, () => {
      const old = this.#stored(key);
      const { uid, resourceVersion } = identityOf(old);
      const moved =
        (preconditions.uid ?? uid) !== uid ||
        (preconditions.resourceVersion ?? resourceVersion) !== resourceVersion;
      if (moved) {
        throw new Failure('conflict', 'Conflict', `${describeKey(key)}: precondition failed`);
      }
      this.#remove(slot(key), old);
    });
  }

  async #call<T>(call: KubeCall, signal: AbortSignal, effect: () => T): Promise<T> {
    signal.throwIfAborted();
    this.calls.push(call);
    await this.before(call);
    signal.throwIfAborted();
    const result = effect();
    await this.after(call);
    return result;
  }

  #matching(selection: Selection): readonly RawObject[] {
    const objects = this.all(selection.kind).filter(selects(selection));
    const sortKey = (object: RawObject): string =>
      cacheKey(identityOf(object).namespace, identityOf(object).name);
    return [...objects].sort((a, b) => (sortKey(a) < sortKey(b) ? -1 : 1));
  }

  #stored(key: ObjectKey): RawObject {
    const object = this.#objects.get(slot(key));
    if (object === undefined) throw notFound(key);
    return object;
  }

  #store(at: string, object: RawObject, old: RawObject | undefined): RawObject {
    const stored = this.#versioned(object);
    this.#objects.set(at, stored);
    this.#publish({ at, version: this.#version, object: stored, old, deleted: false });
    return stored;
  }

  #remove(at: string, object: RawObject): void {
    const metadata = recordAt(object, 'metadata');
    if (finalizersOf(object).length === 0) {
      const last = this.#versioned(object);
      this.#objects.delete(at);
      this.#publish({ at, version: this.#version, object: last, old: object, deleted: true });
      return;
    }
    if (metadata.deletionTimestamp !== undefined) return;
    const deletionTimestamp = timestamp(this.#clock.wallMilliseconds());
    const dying = { ...metadata, deletionTimestamp, deletionGracePeriodSeconds: 0 };
    this.#store(at, { ...object, metadata: dying }, object);
  }

  #versioned(object: RawObject): RawObject {
    this.#version += 1;
    const metadata = { ...recordAt(object, 'metadata'), resourceVersion: String(this.#version) };
    return { ...object, metadata };
  }

  #publish(change: Change): void {
    this.#history.push(change);
    for (const watch of this.#watches) watch.offer(change);
    this.changed(change);
  }
}

const slot = (key: ObjectKey): string =>
  `${key.kind.group}/${key.kind.plural}|${cacheKey(key.namespace, key.name)}`;

const address = (key: ObjectKey): Omit<KubeCall, 'verb'> => ({
  kind: key.kind.kind,
  namespace: key.namespace,
  name: key.name,
});

const place = (selection: Selection): Omit<KubeCall, 'verb'> => ({
  kind: selection.kind.kind,
  namespace: selection.namespace ?? '',
  name: '',
});

const notFound = (key: ObjectKey): Failure =>
  new Failure('gone', 'NotFound', `${describeKey(key)} not found`);

const expired = (): Failure =>
  new Failure('gone', 'Expired', 'the provided continue parameter is too old');
