import type { Resource } from '../derive/resource.ts';
import type { ResourceSet, ServedReader } from './served-set.ts';

/** Two sets as one; no name is in both. It keeps nothing of its own. */
export class JoinedSet implements ResourceSet {
  readonly #one: ResourceSet;
  readonly #other: ResourceSet;

  constructor(one: ResourceSet, other: ResourceSet) {
    this.#one = one;
    this.#other = other;
  }

  get size(): number {
    return this.#one.size + this.#other.size;
  }

  get(name: string): Resource | undefined {
    return this.#one.get(name) ?? this.#other.get(name);
  }

  has(name: string): boolean {
    return this.#one.has(name) || this.#other.has(name);
  }

  *values(): Iterable<Resource> {
    yield* this.#one.values();
    yield* this.#other.values();
  }

  follow(): ServedReader {
    const readers = [this.#one.follow(), this.#other.follow()] as const;
    return {
      next: () => {
        const [one, other] = [readers[0].next(), readers[1].next()];
        return {
          changed: [...one.changed, ...other.changed],
          removed: [...one.removed, ...other.removed],
        };
      },
      get isLost() {
        return readers.some(({ isLost }) => isLost);
      },
      close: () => {
        for (const reader of readers) reader.close();
      },
    };
  }
}
