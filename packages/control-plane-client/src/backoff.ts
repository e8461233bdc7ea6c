/** Doubling delays with a cap and, if asked for, jitter of up to ±20 %. */
export class Backoff {
  readonly #initialMs: number;
  readonly #maxMs: number;
  readonly #jitter: boolean;
  #nextMs: number;

  constructor(options: {
    readonly initialMs: number;
    readonly maxMs: number;
    readonly jitter?: boolean;
  }) {
    this.#initialMs = options.initialMs;
    this.#maxMs = options.maxMs;
    this.#jitter = options.jitter ?? false;
    this.#nextMs = options.initialMs;
  }

  /** The delay before the next attempt, in milliseconds. */
  next(): number {
    const delayMs = this.#nextMs;
    this.#nextMs = Math.min(this.#nextMs * 2, this.#maxMs);
    return this.#jitter ? delayMs * (0.8 + Math.random() * 0.4) : delayMs;
  }

  reset(): void {
    this.#nextMs = this.#initialMs;
  }
}
