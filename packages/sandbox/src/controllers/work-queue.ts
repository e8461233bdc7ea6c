const FIRST_RETRY_MS = 50;
const LAST_RETRY_MS = 10_000;
/** A timer reaches no further; a look that comes early does no harm. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

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
  /** Looks to come, one for each key: the earliest that was asked for. */
  readonly #timers = new Map<string, { readonly timer: NodeJS.Timeout; readonly atMs: number }>();
  #stopped = false;

  constructor(reconcile: (key: string) => Promise<void>, onError: (error: Error) => void) {
    this.#reconcile = reconcile;
    this.#onError = onError;
  }

  add(key: string): void {
    if (this.#stopped) return;
    if (this.#active.has(key)) {
      this.#active.set(key, true);
      return;
    }
    this.#active.set(key, false);
    setImmediate(() => void this.#work(key));
  }

  /** Looks at the key again after a while, whatever happens until then. Of several such looks the earliest counts. */
  addAfter(key: string, delayMs: number): void {
    if (this.#stopped) return;
    const atMs = performance.now() + delayMs;
    const known = this.#timers.get(key);
    if (known !== undefined && known.atMs <= atMs) return;
    clearTimeout(known?.timer);
    const timer = setTimeout(
      () => {
        this.#timers.delete(key);
        this.add(key);
      },
      Math.min(delayMs, LONGEST_TIMER_MS),
    );
    timer.unref();
    this.#timers.set(key, { timer, atMs });
  }

  stop(): void {
    this.#stopped = true;
    for (const { timer } of this.#timers.values()) clearTimeout(timer);
    this.#timers.clear();
  }

  async #work(key: string): Promise<void> {
    this.#active.set(key, false);
    try {
      if (!this.#stopped) await this.#reconcile(key);
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
