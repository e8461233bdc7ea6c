/** Told of every computation that threw; `key` is the `namespace/name` of the object or the name of the part. */
export type ProblemListener = (key: string, error: unknown) => void;

/**
 * Remembers one value for each key, and computes it again only when one of the things it was computed from is another
 * object than before. Keys that were not asked for between two sweeps are forgotten. A computation that throws is
 * reported and leaves the last good value in force, so one bad object never hides the others.
 */
export class Memo<V> {
  #current = new Map<string, Entry<V>>();
  #previous = new Map<string, Entry<V>>();
  readonly #fallback: () => V;
  readonly #onProblem: ProblemListener;

  /** `fallback` is what a key is worth whose very first computation throws; it may throw itself. */
  constructor(onProblem: ProblemListener, fallback: () => V) {
    this.#onProblem = onProblem;
    this.#fallback = fallback;
  }

  get(key: string, inputs: readonly unknown[], compute: () => V): V {
    const known = this.#current.get(key) ?? this.#previous.get(key);
    if (known !== undefined && sameItems(known.inputs, inputs)) {
      this.#current.set(key, known);
      return known.value;
    }
    const value = this.#compute(key, known, compute);
    this.#current.set(key, { inputs, value });
    return value;
  }

  #compute(key: string, known: Entry<V> | undefined, compute: () => V): V {
    try {
      return compute();
    } catch (error) {
      this.#onProblem(key, error);
      return known === undefined ? this.#fallback() : known.value;
    }
  }

  /** Ends one round: what it did not use is dropped. */
  sweep(): void {
    this.#previous = this.#current;
    this.#current = new Map();
  }
}

interface Entry<V> {
  readonly inputs: readonly unknown[];
  readonly value: V;
}

/** Whether both hold the identical items in the same order. */
function sameItems(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((item, index) => item === b[index]);
}
