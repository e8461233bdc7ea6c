// hot path: a timeout per request without a timer per request

/** Something that may time out. */
export interface Timeout {
  /** Set by the wheel; cleared when it fires or is cancelled. */
  isPending: boolean;
  readonly onTimeout: () => void;
}

const TICK_MS = 10;
const SLOTS = 512;

/**
 * Coarse timeouts: each fires up to 10 ms late. Cancelling is setting a flag; one interval runs while anything is
 * pending.
 */
export class TimerWheel {
  readonly #slots: { timeout: Timeout; rounds: number }[][] = Array.from(
    { length: SLOTS },
    () => [],
  );
  #now = 0;
  #count = 0;
  #interval: NodeJS.Timeout | null = null;

  start(delayMs: number, onTimeout: () => void): Timeout {
    const timeout: Timeout = { isPending: true, onTimeout };
    const ticks = Math.max(1, Math.ceil(delayMs / TICK_MS));
    const slot = (this.#now + ticks) % SLOTS;
    this.#slots[slot]!.push({ timeout, rounds: Math.floor((ticks - 1) / SLOTS) });
    this.#count += 1;
    this.#interval ??= setInterval(() => this.#tick(), TICK_MS).unref();
    return timeout;
  }

  #tick(): void {
    this.#now = (this.#now + 1) % SLOTS;
    const due = this.#slots[this.#now]!;
    if (due.length > 0) {
      this.#slots[this.#now] = [];
      for (const entry of due) this.#expire(entry);
    }
    if (this.#count === 0 && this.#interval !== null) {
      clearInterval(this.#interval);
      this.#interval = null;
    }
  }

  #expire(entry: { timeout: Timeout; rounds: number }): void {
    if (entry.rounds > 0 && entry.timeout.isPending) {
      this.#slots[this.#now]!.push({ timeout: entry.timeout, rounds: entry.rounds - 1 });
      return;
    }
    this.#count -= 1;
    if (!entry.timeout.isPending) return;
    entry.timeout.isPending = false;
    entry.timeout.onTimeout();
  }
}
