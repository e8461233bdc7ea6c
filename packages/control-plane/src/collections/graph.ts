/**
 * Keyed collections that are derived from each other, recomputed only where something changed.
 *
 *   input ──► map, flatMap (one cell for each key) ──► map … ──► what is pushed, written, shown
 *                 │ get, lookup: every read is remembered
 *                 └────────────────► other collections, indexes
 *
 * A round (`settle`) carries what was set since the last one through all nodes, in the order in which they were made. The
 * work of a round is proportional to what changed and to what reads it, whatever the size of the collections.
 */
import { isDeepStrictEqual } from 'node:util';
import type { Context } from './cell.ts';
import type { Collection, Index, Node, Same } from './collection.ts';
import {
  type Derive,
  IndexNode,
  Input,
  type KeysOf,
  Mapped,
  type ProblemListener,
  Union,
} from './nodes.ts';

/** What one value becomes under the same key; null and undefined are nothing. */
export type DeriveOne<S, T> = (value: S, context: Context, key: string) => T | null | undefined;

export class Graph {
  readonly #nodes: Node[] = [];
  readonly #onProblem: ProblemListener;

  /** A derivation that throws is reported to `onProblem`, and its last good outputs stay. */
  constructor(onProblem: ProblemListener) {
    this.#onProblem = onProblem;
  }

  input<T>(name: string, same: Same<T> = Object.is): Input<T> {
    return this.#add(new Input<T>(name, this.#nodes.length, same));
  }

  /** One value, under the key `''`: what is derived from it is derived once, and again when what it reads changes. */
  constant<T>(name: string, value: T): Collection<T> {
    const input = this.input<T>(name);
    input.set('', value);
    return input;
  }

  /** `same` tells whether an output differs enough to be passed on. Default: deep equality. */
  map<S, T>(
    name: string,
    source: Collection<S>,
    derive: DeriveOne<S, T>,
    same: Same<T> = isDeepStrictEqual,
  ): Mapped<S, T> {
    const one: Derive<S, T> = (value, context, key) => {
      const output = derive(value, context, key);
      return output === null || output === undefined ? NOTHING : [[key, output]];
    };
    return this.flatMap(name, source, one, same);
  }

  flatMap<S, T>(
    name: string,
    source: Collection<S>,
    derive: Derive<S, T>,
    same: Same<T> = isDeepStrictEqual,
  ): Mapped<S, T> {
    const onProblem = this.#onProblem;
    return this.#add(new Mapped(name, this.#nodes.length, same, { source, derive, onProblem }));
  }

  union<T>(name: string, ...parts: readonly Collection<T>[]): Collection<T> {
    return this.#add(new Union<T>(name, this.#nodes.length, parts));
  }

  index<T>(name: string, source: Collection<T>, keysOf: KeysOf<T>): Index<T> {
    return this.#add(new IndexNode<T>(name, this.#nodes.length, source, keysOf));
  }

  /** One round. */
  settle(): void {
    for (const node of this.#nodes) node.startRound();
    for (const node of this.#nodes) node.settle();
  }

  #add<N extends Node>(node: N): N {
    this.#nodes.push(node);
    return node;
  }
}

const NOTHING: readonly never[] = [];
