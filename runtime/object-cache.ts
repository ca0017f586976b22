/** Which values an object is found under, by index name. */
export type Indexes<T, Name extends string> = Readonly<
  Record<Name, (object: T) => readonly string[]>
>;

type Entry<T> = {
  readonly object: T;
  readonly resourceVersion: string;
  /** Where the indexes point here from: an object's values may have changed by the time it is removed. */
  readonly places: readonly (readonly [index: string, value: string])[];
};

/** Reading side of a cache. Keys are `namespace/name`, or `name` for cluster-scoped kinds. */
export interface ObjectReader<T, Name extends string> {
  get(key: string): T | undefined;
  list(): readonly T[];
  byIndex(index: Name, value: string): readonly T[];
  readonly size: number;
}

/** Parsed objects by key, with indexes kept up to date. */
export class ObjectCache<T, Name extends string> implements ObjectReader<T, Name> {
  readonly #indexes: Indexes<T, Name>;
  readonly #entries = new Map<string, Entry<T>>();
  readonly #found = new Map<string, Map<string, Set<string>>>();

  constructor(indexes: Indexes<T, Name>) {
    this.#indexes = indexes;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(key: string): T | undefined {
    return this.#entries.get(key)?.object;
  }

  list(): readonly T[] {
    return [...this.#entries.values()].map((entry) => entry.object);
  }

  byIndex(index: Name, value: string): readonly T[] {
    const objects: T[] = [];
    for (const key of this.#found.get(index)?.get(value) ?? []) {
      const entry = this.#entries.get(key);
      if (entry !== undefined) objects.push(entry.object);
    }
    return objects;
  }

  keys(): readonly string[] {
    return [...this.#entries.keys()];
  }

  /** The version held; undefined when the key is not there. */
  versionOf(key: string): string | undefined {
    return this.#entries.get(key)?.resourceVersion;
  }

  set(key: string, object: T, resourceVersion: string): void {
    this.delete(key);
    const places: (readonly [string, string])[] = [];
    for (const [index, valuesOf] of Object.entries<(object: T) => readonly string[]>(
      this.#indexes,
    )) {
      for (const value of valuesOf(object)) places.push([index, value]);
    }
    this.#entries.set(key, { object, resourceVersion, places });
    for (const [index, value] of places) this.#keysAt(index, value).add(key);
  }

  /** True when the key was there. */
  delete(key: string): boolean {
    for (const [index, value] of this.#entries.get(key)?.places ?? []) {
      const keys = this.#keysAt(index, value);
      keys.delete(key);
      if (keys.size === 0) this.#found.get(index)?.delete(value);
    }
    return this.#entries.delete(key);
  }

  #keysAt(index: string, value: string): Set<string> {
    const values = this.#found.get(index) ?? new Map<string, Set<string>>();
    this.#found.set(index, values);
    const keys = values.get(value) ?? new Set<string>();
    values.set(value, keys);
    return keys;
  }
}
