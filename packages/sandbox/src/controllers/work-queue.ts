import { setTimeout as sleep } from 'node:timers/promises';

const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 10_000;

/**
 * Reconciles keys one at a time each, several keys side by side. A key that changes while it is being reconciled is
 * reconciled once more afterwards; one that fails is tried again, ever more slowly, until it succeeds.
 */
export class WorkQueue {
  readonly #reconcile: (key: string) => Promise<void>;
  readonly #onError: (error: Error) => void;
  /** Keys at work; true when they changed since. */
  readonly #active = new Map<string, boolean>();
  readonly #failures = new Map<string, number>();
  readonly #abort = new AbortController();

  constructor(reconcile: (key: string) => Promise<void>, onError: (error: Error) => void) {
    this.#reconcile = reconcile;
    this.#onError = onError;
  }

  add(key: string): void {
    if (this.#abort.signal.aborted) return;
    if (this.#active.has(key)) {
      this.#active.set(key, true);
      return;
    }
    this.#active.set(key, false);
    setImmediate(() => void this.#work(key));
  }

  /** Looks at the key again after a while, whatever happens until then. */
  addAfter(key: string, delayMs: number): void {
    void sleep(delayMs, null, { signal: this.#abort.signal, ref: false }).then(
      () => this.add(key),
      () => undefined,
    );
  }

  stop(): void {
    this.#abort.abort();
  }

  async #work(key: string): Promise<void> {
    this.#active.set(key, false);
    try {
      if (!this.#abort.signal.aborted) await this.#reconcile(key);
      this.#failures.delete(key);
    } catch (error) {
      const failures = this.#failures.get(key) ?? 0;
      this.#failures.set(key, failures + 1);
      // The first attempts often lose a race for a resourceVersion; only what lasts is worth a word.
      if (failures >= 3) this.#onError(error as Error);
      this.addAfter(key, Math.min(LAST_RETRY_MS, FIRST_RETRY_MS * 2 ** failures));
    }
    const hasChanged = this.#active.get(key) === true;
    this.#active.delete(key);
    if (hasChanged) this.add(key);
  }
}
