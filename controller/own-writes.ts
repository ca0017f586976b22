import type { Metadata } from '../core/api/metadata.ts';
import type { ObjectReader } from '../runtime/object-cache.ts';
import { cacheKey } from '../runtime/raw-object.ts';

type Stored = { readonly metadata: Metadata };

/**
 * A cache that never shows less than our own last write of an object. A patch of ours names the version it starts from, so the next version after
 * that one is ours: as long as the cache shows a version that we wrote over, it has not seen our last write yet.
 */
export class OwnWrites<T extends Stored> {
  readonly #cache: Pick<ObjectReader<T, never>, 'get'>;
  /** `over`: the versions that our writes in a row started from. */
  readonly #written = new Map<string, { readonly over: ReadonlySet<string>; readonly object: T }>();

  constructor(cache: Pick<ObjectReader<T, never>, 'get'>) {
    this.#cache = cache;
  }

  get(key: string): T | undefined {
    const cached = this.#cache.get(key);
    const written = this.#written.get(key);
    if (written === undefined) return cached;
    if (cached !== undefined && written.over.has(cached.metadata.resourceVersion)) {
      return written.object;
    }
    this.#written.delete(key);
    return cached;
  }

  /** Remembers what a patch made of `before`. */
  remember(before: T, after: T): void {
    const key = cacheKey(before.metadata.namespace ?? '', before.metadata.name);
    const last = this.#written.get(key);
    const from = before.metadata.resourceVersion;
    // In a row only where the one before led to where this one starts.
    const earlier = last?.object.metadata.resourceVersion === from ? last.over : [];
    this.#written.set(key, { over: new Set([...earlier, from]), object: after });
  }
}
