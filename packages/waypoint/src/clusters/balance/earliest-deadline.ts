// hot path: picks a host for every attempt of a cluster whose hosts have weights

/**
 * Gives turns in proportion to weights, which are asked for at each turn (Envoy's `EdfScheduler`): of the entries
 * 0 to `size` the one with the earliest deadline is next, and its next deadline is later by one over its weight. A heap
 * of entries.
 */
export class EarliestDeadline {
  readonly #weightOf: (entry: number) => number;
  readonly #heap: Uint32Array;
  readonly #deadlines: Float64Array;
  /** Of equal deadlines the one that was set first is earlier. */
  readonly #orders: Float64Array;
  #turns = 0;

  /** Weights are above zero. Begins after `skipped` turns, so that threads do not all begin with the same host. */
  constructor(size: number, weightOf: (entry: number) => number, skipped = 0) {
    this.#weightOf = weightOf;
    this.#heap = new Uint32Array(size);
    this.#deadlines = new Float64Array(size);
    this.#orders = new Float64Array(size);
    for (let entry = 0; entry < size; entry++) {
      this.#heap[entry] = entry;
      this.#deadlines[entry] = 1 / weightOf(entry);
      this.#orders[entry] = this.#turns++;
    }
    for (let at = (size >> 1) - 1; at >= 0; at--) this.#sink(at);
    for (let turn = 0; turn < skipped; turn++) this.pick();
  }

  pick(): number {
    const entry = this.#heap[0]!;
    this.#deadlines[entry]! += 1 / this.#weightOf(entry);
    this.#orders[entry] = this.#turns++;
    this.#sink(0);
    return entry;
  }

  #sink(from: number): void {
    const heap = this.#heap;
    const entry = heap[from]!;
    let at = from;
    for (let child = 2 * at + 1; child < heap.length; child = 2 * at + 1) {
      const sibling = child + 1;
      if (sibling < heap.length && this.#isEarlier(heap[sibling]!, heap[child]!)) child = sibling;
      if (!this.#isEarlier(heap[child]!, entry)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = entry;
  }

  #isEarlier(one: number, other: number): boolean {
    const difference = this.#deadlines[one]! - this.#deadlines[other]!;
    return difference < 0 || (difference === 0 && this.#orders[one]! < this.#orders[other]!);
  }
}
