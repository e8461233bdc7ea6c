/** The kinds of nodes: what comes from outside, what is derived key by key, several as one, and indexes. */
import { Cell, type CellOwner, type Context, ReadOrderError } from './cell.ts';
import type { Change, Collection, Index, Node, Same, Source } from './collection.ts';
import { Store } from './collection.ts';
import { Dependents, type ReadKey } from './dependents.ts';

/** Told of a derivation that threw; `collection` and `key` say which. */
export type ProblemListener = (collection: string, key: string, error: unknown) => void;

/** Values that are set from outside; they count from the next round on. */
export class Input<T> extends Store<T> implements Node {
  readonly #pending = new Map<string, T | undefined>();

  /** Undefined removes. */
  set(key: string, value: T | undefined): void {
    this.#pending.set(key, value);
  }

  /** What the key will have after the next round. */
  latest(key: string): T | undefined {
    return this.#pending.has(key) ? this.#pending.get(key) : this.get(key);
  }

  /** Whatever is not among `values` is removed. */
  replace(values: Iterable<readonly [string, T]>): void {
    this.#pending.clear();
    for (const [key] of this.entries()) this.#pending.set(key, undefined);
    for (const [key, value] of values) this.#pending.set(key, value);
  }

  settle(): void {
    for (const [key, value] of this.#pending) this.write(key, value);
    this.#pending.clear();
  }
}

/** What one value becomes. Keys of outputs are chosen freely: of two that choose the same, the smaller source key wins. */
export type Derive<S, T> = (
  value: S,
  context: Context,
  key: string,
) => Iterable<readonly [string, T]>;

/** One cell for each key of its source; a cell derives again when its value, or what it has read, changed. */
export class Mapped<S, T> extends Store<T> implements Node, CellOwner {
  readonly #source: Collection<S>;
  readonly #derive: Derive<S, T>;
  readonly #onProblem: ProblemListener;
  readonly #cells = new Map<string, Cell>();
  readonly #invalid = new Set<Cell>();
  /** What cells have put out under keys that several of them want, by key and then by cell. */
  readonly #contested = new Map<string, Map<Cell, T>>();
  #reads: ReadKey[] = [];

  constructor(
    name: string,
    order: number,
    same: Same<T>,
    {
      source,
      derive,
      onProblem,
    }: { source: Collection<S>; derive: Derive<S, T>; onProblem: ProblemListener },
  ) {
    super(name, order, same);
    this.#source = source;
    this.#derive = derive;
    this.#onProblem = onProblem;
  }

  settle(): void {
    for (const [key, { now }] of this.#source.changes) {
      if (now === undefined) this.#remove(key);
      else this.#invalid.add(this.#cellOf(key));
    }
    for (const cell of this.#invalid) this.#run(cell);
    this.#invalid.clear();
  }

  /** What a key's value was derived from besides its source's; the source's key comes first. */
  *provenance(key: string): Iterable<readonly [string, string]> {
    const cell = this.#cellFor(key);
    if (cell === undefined) return;
    yield [this.#source.name, cell.key];
    yield* cell.provenance();
  }

  /** What the key would be if it were derived once more, from what `read` and `context` give; undefined if that fails. */
  deriveAgain(
    key: string,
    read: (source: Collection<S>, sourceKey: string) => unknown,
    context: Context,
  ): T | undefined {
    const cell = this.#cellFor(key);
    if (cell === undefined) return undefined;
    try {
      const outputs = this.#derive(read(this.#source, cell.key) as S, context, cell.key);
      return new Map(outputs).get(key);
    } catch {
      // What is read may be watched, and refused where a plain value is not.
      return undefined;
    }
  }

  #cellFor(key: string): Cell | undefined {
    const claims = this.#contested.get(key);
    return claims === undefined ? this.#ownerOf(key) : smallest(claims.keys());
  }

  #cellOf(key: string): Cell {
    const known = this.#cells.get(key);
    if (known !== undefined) return known;
    const cell = new Cell(key, this);
    this.#cells.set(key, cell);
    return cell;
  }

  invalidate(cell: Cell): void {
    this.#invalid.add(cell);
  }

  get reads(): ReadKey[] {
    return this.#reads;
  }

  takeReads(): readonly ReadKey[] {
    const reads = this.#reads;
    this.#reads = [];
    return reads;
  }

  /** A derivation that throws leaves the last good outputs, so that one bad object never hides the others. */
  #run(cell: Cell): void {
    const value = this.#source.get(cell.key);
    if (value === undefined) return;
    try {
      this.#replace(cell, new Map(this.#derive(value, cell, cell.key)));
    } catch (error) {
      if (error instanceof ReadOrderError) throw error;
      this.#onProblem(this.name, cell.key, error);
    } finally {
      cell.commit();
    }
  }

  #remove(key: string): void {
    const cell = this.#cells.get(key);
    if (cell === undefined) return;
    this.#replace(cell, NO_OUTPUTS as ReadonlyMap<string, T>);
    cell.end();
    this.#cells.delete(key);
    this.#invalid.delete(cell);
  }

  #replace(cell: Cell, outputs: ReadonlyMap<string, T>): void {
    const before = new Set(cell.outputs);
    for (const key of before) if (!outputs.has(key)) this.#retract(key, cell);
    for (const [key, value] of outputs) {
      if (before.has(key) && !this.#contested.has(key)) this.write(key, value);
      else this.#emit(key, cell, value);
    }
    cell.outputs = outputs.size === 0 ? NO_KEYS : [...outputs.keys()];
  }

  /** Puts out a key that others may have put out, too. */
  #emit(key: string, cell: Cell, value: T): void {
    const contested = this.#contested.get(key);
    const current = this.get(key);
    if (contested === undefined && current === undefined) {
      this.write(key, value);
      return;
    }
    const claims = contested ?? new Map([[this.#ownerOf(key)!, current!]]);
    this.#contested.set(key, claims.set(cell, value));
    this.#decide(key, claims);
  }

  #retract(key: string, cell: Cell): void {
    const claims = this.#contested.get(key);
    if (claims === undefined) {
      this.write(key, undefined);
      return;
    }
    claims.delete(cell);
    this.#decide(key, claims);
    if (claims.size === 1) this.#contested.delete(key);
  }

  #decide(key: string, claims: ReadonlyMap<Cell, T>): void {
    this.write(key, claims.get(smallest(claims.keys())!));
  }

  /** The only cell that has put out the key. Looked for, since it is seldom asked. */
  #ownerOf(key: string): Cell | undefined {
    const same = this.#cells.get(key);
    if (same?.outputs.includes(key) === true) return same;
    for (const cell of this.#cells.values()) if (cell.outputs.includes(key)) return cell;
    return undefined;
  }
}

function smallest(cells: Iterable<Cell>): Cell | undefined {
  let found: Cell | undefined;
  for (const cell of cells) if (found === undefined || cell.key < found.key) found = cell;
  return found;
}

const NO_KEYS: readonly string[] = [];
const NO_OUTPUTS: ReadonlyMap<string, unknown> = new Map();

/** Several collections as one, which keeps no values of its own; of two that have a key, the earlier wins. */
export class Union<T> implements Collection<T>, Source, Node {
  readonly name: string;
  readonly order: number;
  readonly dependents: Dependents;
  readonly #parts: readonly Collection<T>[];
  readonly #changes = new Map<string, Change<T>>();

  constructor(name: string, order: number, parts: readonly Collection<T>[]) {
    this.name = name;
    this.order = order;
    this.dependents = new Dependents(name);
    this.#parts = parts;
  }

  get size(): number {
    let size = 0;
    for (const _ of this.entries()) size += 1;
    return size;
  }

  get changes(): ReadonlyMap<string, Change<T>> {
    return this.#changes;
  }

  get(key: string): T | undefined {
    for (const part of this.#parts) {
      const value = part.get(key);
      if (value !== undefined) return value;
    }
    return undefined;
  }

  /** The one whose value counts. */
  partOf(key: string): Collection<T> | undefined {
    return this.#parts.find((part) => part.get(key) !== undefined);
  }

  *entries(): Iterable<readonly [string, T]> {
    for (const [index, part] of this.#parts.entries()) {
      const earlier = this.#parts.slice(0, index);
      for (const entry of part.entries()) {
        if (earlier.every((other) => other.get(entry[0]) === undefined)) yield entry;
      }
    }
  }

  startRound(): void {
    this.#changes.clear();
  }

  settle(): void {
    for (const { changes } of this.#parts) {
      for (const key of changes.keys()) this.#follow(key);
    }
  }

  #follow(key: string): void {
    if (this.#changes.has(key)) return;
    const before = this.#before(key);
    const now = this.get(key);
    if (before === now) return;
    this.#changes.set(key, { before, now });
    for (const cell of this.dependents.of(key)) cell.invalidate();
  }

  #before(key: string): T | undefined {
    for (const part of this.#parts) {
      const change = part.changes.get(key);
      const value = change === undefined ? part.get(key) : change.before;
      if (value !== undefined) return value;
    }
    return undefined;
  }
}

/** What the values of a collection are found by; the keys must depend on nothing but the value and its key. */
export type KeysOf<T> = (value: T, key: string) => Iterable<string>;

interface Bucket<T> {
  readonly values: Map<string, T>;
  /** Made when it is asked for. */
  sorted: readonly T[] | null;
}

/** A value whose keys cannot be told stays as it was last filed, and does not keep the others from theirs. */
export class IndexNode<T> implements Index<T>, Source, Node {
  readonly name: string;
  readonly order: number;
  readonly dependents: Dependents;
  readonly source: Collection<T>;
  readonly #keysOf: KeysOf<T>;
  readonly #onProblem: ProblemListener;
  readonly #buckets = new Map<string, Bucket<T>>();
  /** Of values whose keys cannot be told: where an earlier value is still filed. */
  readonly #lastGood = new Map<string, ReadonlySet<string>>();

  constructor(
    name: string,
    order: number,
    {
      source,
      keysOf,
      onProblem,
    }: { source: Collection<T>; keysOf: KeysOf<T>; onProblem: ProblemListener },
  ) {
    this.name = name;
    this.order = order;
    this.dependents = new Dependents(name);
    this.source = source;
    this.#keysOf = keysOf;
    this.#onProblem = onProblem;
  }

  lookup(indexKey: string): readonly T[] {
    const bucket = this.#buckets.get(indexKey);
    if (bucket === undefined) return NONE;
    bucket.sorted ??= sortedValues(bucket.values);
    return bucket.sorted;
  }

  /** Keys of the values, sorted. */
  keysAt(indexKey: string): readonly string[] {
    return [...(this.#buckets.get(indexKey)?.values.keys() ?? NONE)].toSorted();
  }

  startRound(): void {
    // What changed is known by the source.
  }

  settle(): void {
    const touched = new Set<string>();
    for (const [key, change] of this.source.changes) this.#move(key, change, touched);
    for (const indexKey of touched) {
      for (const cell of this.dependents.of(indexKey)) cell.invalidate();
    }
  }

  #move(key: string, { before, now }: Change<T>, touched: Set<string>): void {
    const filed = this.#lastGood.get(key) ?? this.#keys(before, key);
    let wanted: ReadonlySet<string>;
    try {
      wanted = this.#keys(now, key);
    } catch (error) {
      this.#onProblem(this.name, key, error);
      this.#lastGood.set(key, filed);
      return;
    }
    this.#lastGood.delete(key);
    for (const indexKey of filed) if (!wanted.has(indexKey)) this.#take(indexKey, key, touched);
    for (const indexKey of wanted) this.#put(indexKey, key, now!, touched);
  }

  #keys(value: T | undefined, key: string): ReadonlySet<string> {
    return new Set(value === undefined ? NONE : this.#keysOf(value, key));
  }

  #take(indexKey: string, key: string, touched: Set<string>): void {
    const bucket = this.#buckets.get(indexKey);
    bucket?.values.delete(key);
    if (bucket === undefined) return;
    bucket.sorted = null;
    if (bucket.values.size === 0) this.#buckets.delete(indexKey);
    touched.add(indexKey);
  }

  #put(indexKey: string, key: string, value: T, touched: Set<string>): void {
    const known = this.#buckets.get(indexKey);
    const bucket = known ?? { values: new Map<string, T>(), sorted: null };
    if (known === undefined) this.#buckets.set(indexKey, bucket);
    bucket.values.set(key, value);
    bucket.sorted = null;
    touched.add(indexKey);
  }
}

const NONE: readonly never[] = [];

function sortedValues<T>(values: ReadonlyMap<string, T>): readonly T[] {
  return [...values.keys()].toSorted().map((key) => values.get(key)!);
}
