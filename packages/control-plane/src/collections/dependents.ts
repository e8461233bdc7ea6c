/** Which computations have read which keys of one source. Most keys have one reader, so that one needs no set. */
export class Dependents<Reader extends object> {
  readonly #byKey = new Map<string, Reader | Set<Reader>>();

  add(key: string, reader: Reader): void {
    const known = this.#byKey.get(key);
    if (known === undefined) this.#byKey.set(key, reader);
    else if (known instanceof Set) known.add(reader);
    else if (known !== reader) this.#byKey.set(key, new Set([known, reader]));
  }

  delete(key: string, reader: Reader): void {
    const known = this.#byKey.get(key);
    if (known === reader) this.#byKey.delete(key);
    if (!(known instanceof Set) || !known.delete(reader)) return;
    if (known.size === 0) this.#byKey.delete(key);
  }

  of(key: string): Iterable<Reader> {
    const known = this.#byKey.get(key);
    if (known === undefined) return NOBODY;
    return known instanceof Set ? known : [known];
  }
}

const NOBODY: readonly never[] = [];
