import type { Kind } from '../core/api/kinds.ts';

/** Raw JSON of an object; parsed by core/api at the door of each consumer. */
export type RawObject = { readonly [field: string]: unknown };

/** An object's address. `namespace` is '' for cluster-scoped kinds. */
export type ObjectKey = { readonly kind: Kind; readonly namespace: string; readonly name: string };

/** One page of a list; `continue` is '' on the last. */
export type Page = {
  readonly items: readonly RawObject[];
  readonly resourceVersion: string;
  readonly continue: string;
};

/** Which objects: all namespaces when `namespace` is absent. */
export type Selection = {
  readonly kind: Kind;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
};

export type WatchEvent = {
  readonly type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  readonly object: RawObject;
};

/**
 * How a patch is applied. A resourceVersion in a merge patch's metadata is a precondition: `conflict` when the object moved or is another
 * by now. So is a uid, but not in a patch of the status: the server ignores it there.
 */
export type Patch =
  | { readonly type: 'merge'; readonly body: RawObject }
  | { readonly type: 'json'; readonly body: readonly RawObject[] };

export type Preconditions = { readonly uid?: string; readonly resourceVersion?: string };

/**
 * The API server as Cryopod uses it: raw JSON in and out, always uncached. Errors are `Failure`s: `gone` for 404 (NotFound) and for 410
 * (reason 'Expired'), `conflict` for 409 (reason 'AlreadyExists' or 'Conflict'), `retry` for 401 (a token that has just rotated), 408,
 * 429 (with retryAfterMilliseconds), 5xx, connection errors, and a 404 that does not come from the API machinery (reason
 * 'KindNotServed': a CRD not yet there proves nothing about an object), `terminal` for the rest (reason of the Status, e.g. 'Forbidden',
 * 'Invalid'). A call whose signal aborts rejects with the signal's reason; the outcome of an aborted or failed write is unknown.
 */
export interface Kube {
  get(key: ObjectKey, signal: AbortSignal): Promise<RawObject>;
  list(
    selection: Selection & {
      readonly limit: number;
      readonly continue?: string;
      readonly resourceVersion?: string;
    },
    signal: AbortSignal,
  ): Promise<Page>;
  /** Ends when the server closes the stream; throws a Failure when it cannot be opened or breaks. */
  watch(
    selection: Selection & { readonly resourceVersion: string; readonly timeoutSeconds: number },
    signal: AbortSignal,
  ): AsyncIterable<WatchEvent>;
  create(
    kind: Kind,
    object: RawObject,
    options: { readonly dryRun: boolean },
    signal: AbortSignal,
  ): Promise<RawObject>;
  /** `subresource` is '' or 'status'. */
  patch(
    key: ObjectKey,
    subresource: '' | 'status',
    patch: Patch,
    signal: AbortSignal,
  ): Promise<RawObject>;
  /** Background propagation. Deleting what is already gone is a `gone` failure. */
  delete(key: ObjectKey, preconditions: Preconditions, signal: AbortSignal): Promise<void>;
}

/** The API server's wall clock (its last `Date` header, whole seconds) and our monotonic clock at the moment it was received. */
export type ServerTime = {
  readonly wallMilliseconds: number;
  readonly monotonicMilliseconds: number;
};

/** What the API server said about its time. Ages of objects are measured against this, never against our own wall clock. */
export interface ServerClock {
  /** Undefined until the first answer. */
  serverTime(): ServerTime | undefined;
}

/** The server's wall clock now: its last Date moved on by our monotonic clock; undefined until the first answer. */
export function serverNow(clock: ServerClock, monotonicMilliseconds: number): number | undefined {
  const time = clock.serverTime();
  if (time === undefined) return undefined;
  return time.wallMilliseconds + (monotonicMilliseconds - time.monotonicMilliseconds);
}
