/**
 * Calls `run` once things have been quiet for `quietMs`, but never later than `maxMs` after the first trigger.
 * Istio waits 100 ms and at most 10 s; here one derivation is cheap, and a policy should bite soon.
 */
export class Debouncer {
  readonly #run: () => void;
  readonly #quietMs: number;
  readonly #maxMs: number;
  #timer: NodeJS.Timeout | null = null;
  #firstAtMs = 0;

  constructor(run: () => void, quietMs: number, maxMs: number) {
    this.#run = run;
    this.#quietMs = quietMs;
    this.#maxMs = maxMs;
  }

  trigger(): void {
    const nowMs = performance.now();
    if (this.#timer === null) this.#firstAtMs = nowMs;
    else clearTimeout(this.#timer);
    const leftMs = this.#firstAtMs + this.#maxMs - nowMs;
    this.#timer = setTimeout(() => this.#fire(), Math.max(0, Math.min(this.#quietMs, leftMs)));
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #fire(): void {
    this.#timer = null;
    this.#run();
  }
}
