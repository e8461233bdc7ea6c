const FIRST_MS = 500;
const MAX_MS = 15_000;

/** When what failed may be tried again: each failure in a row doubles the wait. */
export class RetryTimes {
  readonly #failed = new Map<string, { readonly waitMs: number; readonly dueMs: number }>();

  failed(key: string): void {
    const before = this.#failed.get(key)?.waitMs;
    const waitMs = before === undefined ? FIRST_MS : Math.min(before * 2, MAX_MS);
    this.#failed.set(key, { waitMs, dueMs: Date.now() + waitMs });
  }

  /** Whether it may be tried now; from then on it is under way, until it has failed again or is forgotten. */
  begin(key: string): boolean {
    const failed = this.#failed.get(key);
    if (failed === undefined) return true;
    if (failed.dueMs > Date.now()) return false;
    this.#failed.set(key, { ...failed, dueMs: Infinity });
    return true;
  }

  forget(key: string): void {
    this.#failed.delete(key);
  }

  /** Forgets what nobody wants any more. */
  keepOnly(keys: readonly string[]): void {
    const kept = new Set(keys);
    for (const key of this.#failed.keys()) if (!kept.has(key)) this.#failed.delete(key);
  }

  /** How long until the next is due; infinite if nothing is. */
  nextInMs(): number {
    const due = [...this.#failed.values()].map(({ dueMs }) => dueMs);
    return Math.max(0, Math.min(...due) - Date.now());
  }
}
