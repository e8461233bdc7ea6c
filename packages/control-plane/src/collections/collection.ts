/** What is read from a graph, and what its nodes have in common. */
import { Dependents } from './dependents.ts';

/** What happened to a key in the last round; undefined where there is no value. */
export interface Change<T> {
  readonly before: T | undefined;
  readonly now: T | undefined;
}

/** Values by key. Values never change; which value a key has may, once in each round. */
export interface Collection<T> {
  readonly name: string;
  readonly size: number;
  get(key: string): T | undefined;
  /** In no particular order. */
  entries(): Iterable<readonly [string, T]>;
  /** What the last round changed. */
  readonly changes: ReadonlyMap<string, Change<T>>;
}

/** The values of a collection by something that they have in common. */
export interface Index<T> {
  readonly name: string;
  /** Sorted by the keys of the values; the same array until one of them changes. */
  lookup(indexKey: string): readonly T[];
}

/** A node of the graph that computations read, key by key. */
export interface Source {
  readonly name: string;
  /** Nodes are settled in this order, and read only those before them. */
  readonly order: number;
  readonly dependents: Dependents;
}

/** A node of the graph. */
export interface Node {
  readonly name: string;
  /** Forgets what the last round changed. */
  startRound(): void;
  /** Takes over what the nodes before it changed in this round. */
  settle(): void;
}

/** Whether a value is worth telling others about. */
export type Same<T> = (before: T, now: T) => boolean;

/** The values of one node, what changed in a round, and who must know. */
export class Store<T> implements Collection<T>, Source {
  readonly name: string;
  readonly order: number;
  readonly dependents: Dependents;
  readonly #values = new Map<string, T>();
  readonly #changes = new Map<string, Change<T>>();
  readonly #same: Same<T>;

  constructor(name: string, order: number, same: Same<T>) {
    this.name = name;
    this.order = order;
    this.dependents = new Dependents(name);
    this.#same = same;
  }

  get size(): number {
    return this.#values.size;
  }

  get changes(): ReadonlyMap<string, Change<T>> {
    return this.#changes;
  }

  get(key: string): T | undefined {
    return this.#values.get(key);
  }

  entries(): Iterable<readonly [string, T]> {
    return this.#values;
  }

  startRound(): void {
    this.#changes.clear();
  }

  /** Undefined removes. A value that is the same as before changes nothing. */
  write(key: string, now: T | undefined): void {
    const current = this.#values.get(key);
    if (current === now) return;
    if (current !== undefined && now !== undefined && this.#same(current, now)) return;
    if (now === undefined) this.#values.delete(key);
    else this.#values.set(key, now);
    this.#note(key, current, now);
    for (const cell of this.dependents.of(key)) cell.invalidate();
  }

  /** A key that several writes of one round change has one change; none, if it is back where it was. */
  #note(key: string, current: T | undefined, now: T | undefined): void {
    const noted = this.#changes.get(key);
    const before = noted === undefined ? current : noted.before;
    if (before === undefined && now === undefined) this.#changes.delete(key);
    else this.#changes.set(key, { before, now });
  }
}
