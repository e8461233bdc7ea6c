import { type Summary, summarize, summarizeRatio } from '@aquifer/compare';

/** Measurements by name; those of equal index were made in the same round. */
export class Samples {
  readonly #values = new Map<string, number[]>();

  add(name: string, value: number): void {
    const values = this.#values.get(name);
    if (values === undefined) this.#values.set(name, [value]);
    else values.push(value);
  }

  /** Null if it was not measured. */
  summary(name: string): Summary | null {
    const values = this.#values.get(name);
    return values === undefined ? null : summarize(values);
  }

  /** Of the first to the second, round by round; null if either was not measured. */
  ratio(name: string, base: string): Summary | null {
    const [values, bases] = [this.#values.get(name), this.#values.get(base)];
    return values === undefined || bases === undefined ? null : summarizeRatio(values, bases);
  }

  toJSON(): Record<string, Summary> {
    return Object.fromEntries([...this.#values].map(([name, values]) => [name, summarize(values)]));
  }
}
