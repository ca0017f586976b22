import type { Kind } from '../../../../core/api/kinds.ts';
import type { Metadata, Parsed } from '../../../../core/api/metadata.ts';
import type { Indexes, ObjectReader } from '../../../../runtime/object-cache.ts';
import { cacheKey } from '../../../../runtime/raw-object.ts';
import type { MemoryKube } from '../../../support/memory-kube.ts';

/** A cache that shows what the memory server holds, or what it held when it was last frozen. */
export class KubeCache<T extends { readonly metadata: Metadata }, Name extends string>
  implements ObjectReader<T, Name>
{
  readonly #kube: MemoryKube;
  readonly #kind: Kind;
  readonly #parse: (raw: unknown) => Parsed<T>;
  readonly #indexes: Indexes<T, Name>;
  #frozen: readonly T[] | undefined;

  constructor(
    kube: MemoryKube,
    kind: Kind,
    parse: (raw: unknown) => Parsed<T>,
    indexes: Indexes<T, Name>,
  ) {
    this.#kube = kube;
    this.#kind = kind;
    this.#parse = parse;
    this.#indexes = indexes;
  }

  /** From now on the cache lags behind: it shows this moment. */
  freeze(): void {
    this.#frozen = this.list();
  }

  thaw(): void {
    this.#frozen = undefined;
  }

  list(): readonly T[] {
    if (this.#frozen !== undefined) return this.#frozen;
    return this.#kube.all(this.#kind).flatMap((raw) => {
      const parsed = this.#parse(raw);
      return parsed.ok ? [parsed.value] : [];
    });
  }

  get(key: string): T | undefined {
    return this.list().find(
      ({ metadata }) => cacheKey(metadata.namespace ?? '', metadata.name) === key,
    );
  }

  get size(): number {
    return this.list().length;
  }

  byIndex(index: Name, value: string): readonly T[] {
    return this.list().filter((object) => this.#indexes[index](object).includes(value));
  }
}
