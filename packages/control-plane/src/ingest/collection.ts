/** What every stored object has: enough to key it, and to tell whose it is. */
export interface StoredObject {
  readonly metadata: {
    readonly name?: string | undefined;
    readonly namespace?: string | undefined;
    readonly labels?: Readonly<Record<string, string>> | undefined;
  };
}

/** One change to a collection: the object as it is now, or null when it is gone. */
export interface Change<T> {
  readonly namespace: string;
  readonly name: string;
  readonly object: T | null;
}

type Names<T> = ReadonlyMap<string, T>;

/**
 * The objects of one kind, immutable. `with` shares everything that did not change, so identity tells what did:
 * `inNamespace` returns the same array until an object of that namespace changes. Cluster-scoped kinds use the
 * namespace `''`.
 */
export class Collection<T extends StoredObject> {
  readonly #namespaces: ReadonlyMap<string, Names<T>>;
  readonly #lists: WeakMap<Names<T>, readonly T[]>;

  private constructor(
    namespaces: ReadonlyMap<string, Names<T>>,
    lists: WeakMap<Names<T>, readonly T[]>,
  ) {
    this.#namespaces = namespaces;
    this.#lists = lists;
  }

  static of<T extends StoredObject>(objects: Iterable<T>): Collection<T> {
    return new Collection<T>(new Map(), new WeakMap()).with(Array.from(objects, toChange));
  }

  get(namespace: string, name: string): T | undefined {
    return this.#namespaces.get(namespace)?.get(name);
  }

  /** Sorted by name. */
  inNamespace(namespace: string): readonly T[] {
    const names = this.#namespaces.get(namespace);
    if (names === undefined) return NOTHING;
    let list = this.#lists.get(names);
    if (list === undefined) {
      list = [...names.keys()].toSorted().map((name) => names.get(name)!);
      this.#lists.set(names, list);
    }
    return list;
  }

  /** Those that hold an object, in no particular order. */
  namespaces(): Iterable<string> {
    return this.#namespaces.keys();
  }

  /** In no particular order. */
  *[Symbol.iterator](): IterableIterator<T> {
    for (const names of this.#namespaces.values()) yield* names.values();
  }

  get size(): number {
    let size = 0;
    for (const names of this.#namespaces.values()) size += names.size;
    return size;
  }

  /** The collection after the changes; itself when there are none. */
  with(changes: readonly Change<T>[]): Collection<T> {
    if (changes.length === 0) return this;
    const namespaces = new Map(this.#namespaces);
    const copied = new Map<string, Map<string, T>>();
    for (const { namespace, name, object } of changes) {
      let names = copied.get(namespace);
      if (names === undefined) {
        names = new Map(namespaces.get(namespace));
        copied.set(namespace, names);
        namespaces.set(namespace, names);
      }
      if (object === null) names.delete(name);
      else names.set(name, object);
      if (names.size === 0) {
        namespaces.delete(namespace);
        copied.delete(namespace);
      }
    }
    return new Collection(namespaces, this.#lists);
  }
}

const NOTHING: readonly never[] = [];

function toChange<T extends StoredObject>(object: T): Change<T> {
  const { namespace, name } = object.metadata;
  return { namespace: namespace ?? '', name: name ?? '', object };
}
