import type { Collection, Index, Source } from './collection.ts';
import type { Reader, ReadKey } from './dependents.ts';

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
export class Cell implements Context, Reader {
  readonly key: string;
  /** Keys of what it has put out. */
  outputs: readonly string[] = NOTHING;
  readonly #owner: CellOwner;
  #reads: readonly ReadKey[] = NOTHING;

  constructor(key: string, owner: CellOwner) {
    this.key = key;
    this.#owner = owner;
  }

  invalidate(): void {
    this.#owner.invalidate(this);
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
    const reads = this.#owner.takeReads();
    if (isSameList(reads, this.#reads)) return;
    const before = this.#reads;
    // Copied: an array that grew has room to spare.
    this.#reads = reads.slice();
    for (const read of reads) read.add(this);
    const kept = new Set(reads);
    for (const read of before) if (!kept.has(read)) read.delete(this);
  }

  /** What was read, for people: the name of the node and the key. */
  *provenance(): Iterable<readonly [string, string]> {
    for (const { source, key } of this.#reads) yield [source, key];
  }

  /** To be called when its key is gone. */
  end(): void {
    for (const read of this.#reads) read.delete(this);
    this.#reads = NOTHING;
  }

  #record(source: Source, key: string): void {
    if (source.order >= this.#owner.order) throw new ReadOrderError(this.#owner.name, source.name);
    this.#owner.reads.push(source.dependents.at(key));
  }
}

/** The node that a cell is of. One of its cells is derived at a time. */
export interface CellOwner {
  readonly name: string;
  readonly order: number;
  /** What the derivation that is under way has read. */
  readonly reads: ReadKey[];
  /** Begins with nothing read again. */
  takeReads(): readonly ReadKey[];
  invalidate(cell: Cell): void;
}

const NOTHING: readonly never[] = [];

function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
