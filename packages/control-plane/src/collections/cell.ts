import type { Collection, Index, Source } from './collection.ts';

/** What a derivation reads besides its own value; everything read is remembered, and a change of it derives again. */
export interface Context {
  get<T>(collection: Collection<T>, key: string): T | undefined;
  lookup<T>(index: Index<T>, indexKey: string): readonly T[];
}

/** For who reads once, and is not told of changes. */
export const UNTRACKED: Context = {
  get: (collection, key) => collection.get(key),
  lookup: (index, indexKey) => index.lookup(indexKey),
};

/** A read of a node that is settled later, which would see the last round's values. */
export class ReadOrderError extends Error {
  override readonly name = 'ReadOrderError';

  constructor(reader: string, read: string) {
    super(`${reader} reads ${read}, which is made after it`);
  }
}

/** What one key of a source was derived from, so that it is derived again when that changes. */
export class Cell implements Context {
  readonly key: string;
  /** Keys of what it has put out. */
  outputs: readonly string[] = NOTHING;
  readonly #owner: { readonly name: string; readonly order: number };
  readonly #onInvalid: (cell: Cell) => void;
  /** In pairs: a source and the key that was read of it. */
  #reads: readonly (Source | string)[] = NOTHING;
  #newReads: (Source | string)[] = [];

  constructor(
    key: string,
    owner: { readonly name: string; readonly order: number },
    onInvalid: (cell: Cell) => void,
  ) {
    this.key = key;
    this.#owner = owner;
    this.#onInvalid = onInvalid;
  }

  invalidate(): void {
    this.#onInvalid(this);
  }

  get<T>(collection: Collection<T>, key: string): T | undefined {
    this.#record(collection as Collection<T> & Source, key);
    return collection.get(key);
  }

  lookup<T>(index: Index<T>, indexKey: string): readonly T[] {
    this.#record(index as Index<T> & Source, indexKey);
    return index.lookup(indexKey);
  }

  /** Ends a derivation, also one that failed: it is run again when what it has read so far changes. */
  commit(): void {
    const reads = this.#newReads;
    this.#newReads = [];
    if (isSameList(reads, this.#reads)) return;
    this.#unsubscribe();
    this.#reads = reads;
    for (let i = 0; i < reads.length; i += 2) {
      (reads[i] as Source).dependents.add(reads[i + 1] as string, this);
    }
  }

  /** What was read, for people: the name of the node and the key. */
  *provenance(): Iterable<readonly [string, string]> {
    for (let i = 0; i < this.#reads.length; i += 2) {
      yield [(this.#reads[i] as Source).name, this.#reads[i + 1] as string];
    }
  }

  /** To be called when its key is gone. */
  end(): void {
    this.#unsubscribe();
    this.#reads = NOTHING;
  }

  #record(source: Source, key: string): void {
    if (source.order >= this.#owner.order) throw new ReadOrderError(this.#owner.name, source.name);
    this.#newReads.push(source, key);
  }

  #unsubscribe(): void {
    for (let i = 0; i < this.#reads.length; i += 2) {
      (this.#reads[i] as Source).dependents.delete(this.#reads[i + 1] as string, this);
    }
  }
}

const NOTHING: readonly never[] = [];

function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
