/** A computation that has read something. */
export interface Reader {
  /** What it has read has changed. */
  invalidate(): void;
}

/** One key of a source that computations have read, and which they were. Most keys have one reader, so that one needs no set. */
export class ReadKey {
  readonly key: string;
  readonly #home: Dependents;
  #readers: Reader | Set<Reader> | null = null;

  constructor(key: string, home: Dependents) {
    this.key = key;
    this.#home = home;
  }

  /** Name of the node that was read. */
  get source(): string {
    return this.#home.source;
  }

  add(reader: Reader): void {
    const known = this.#readers;
    if (known === null) this.#readers = reader;
    else if (known instanceof Set) known.add(reader);
    else if (known !== reader) this.#readers = new Set([known, reader]);
  }

  delete(reader: Reader): void {
    const known = this.#readers;
    if (known === reader) this.#readers = null;
    else if (known instanceof Set) known.delete(reader);
    if (this.#readers === null || (known instanceof Set && known.size === 0)) {
      this.#home.forget(this.key);
    }
  }

  get readers(): Iterable<Reader> {
    const known = this.#readers;
    if (known === null) return NOBODY;
    return known instanceof Set ? known : [known];
  }
}

/** Which computations have read which keys of one source. */
export class Dependents {
  readonly source: string;
  readonly #byKey = new Map<string, ReadKey>();

  constructor(source: string) {
    this.source = source;
  }

  /** What stands for the key, for all readers alike; it is forgotten with its last reader. */
  at(key: string): ReadKey {
    const known = this.#byKey.get(key);
    if (known !== undefined) return known;
    const made = new ReadKey(key, this);
    this.#byKey.set(key, made);
    return made;
  }

  forget(key: string): void {
    this.#byKey.delete(key);
  }

  of(key: string): Iterable<Reader> {
    return this.#byKey.get(key)?.readers ?? NOBODY;
  }
}

const NOBODY: readonly never[] = [];
