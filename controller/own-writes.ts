import type { Metadata } from '../core/api/metadata.ts';
import type { ObjectReader } from '../runtime/object-cache.ts';
import { cacheKey } from '../runtime/raw-object.ts';

type Stored = { readonly metadata: Metadata };

/**
 * A cache that never shows less than our own last write of an object. A patch of ours names the version it starts from, so the next
 * version after that one is ours: as long as the cache still shows the old one, it has not seen our write yet.
 */
export class OwnWrites<T extends Stored> {
  readonly #cache: Pick<ObjectReader<T, never>, 'get'>;
  readonly #written = new Map<string, { readonly basis: string; readonly object: T }>();

  constructor(cache: Pick<ObjectReader<T, never>, 'get'>) {
    this.#cache = cache;
  }

  get(key: string): T | undefined {
    const cached = this.#cache.get(key);
    const written = this.#written.get(key);
    if (written === undefined) return cached;
    if (cached?.metadata.resourceVersion === written.basis) return written.object;
    this.#written.delete(key);
    return cached;
  }

  /** Remembers what a patch made of `before`. */
  remember(before: T, after: T): void {
    const key = cacheKey(before.metadata.namespace ?? '', before.metadata.name);
    const basis = this.#written.get(key);
    const shown = this.#cache.get(key)?.metadata.resourceVersion;
    // Two writes in a row: the cache may still show the version before the first of them.
    const oldest =
      basis !== undefined && basis.basis === shown ? basis.basis : before.metadata.resourceVersion;
    this.#written.set(key, { basis: oldest, object: after });
  }
}
