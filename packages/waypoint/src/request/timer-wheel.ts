// hot path: a timeout per request without a timer per request

const TICK_MS = 10;
const SLOTS = 512;

/** Something that may time out. Cancelling it twice, or after it fired, does nothing. */
export class Timeout {
  readonly #onTimeout: () => void;
  /** Whole turns of the wheel still to wait. */
  #turns: number;
  #previous: Timeout | null = null;
  #next: Timeout | null = null;

  constructor(turns: number, onTimeout: () => void) {
    this.#turns = turns;
    this.#onTimeout = onTimeout;
  }

  /** Leaves its slot at once, so that nothing of a finished request is kept until its turn would have come. */
  cancel(): void {
    const previous = this.#previous;
    const next = this.#next;
    if (previous === null) return;
    previous.#next = next;
    if (next !== null) next.#previous = previous;
    // Were they kept, a cancelled timeout in the old generation would keep the younger ones that it once preceded.
    this.#previous = null;
    this.#next = null;
  }

  /** Only for a slot's head: makes `timeout` the first of the slot. */
  prepend(timeout: Timeout): void {
    const next = this.#next;
    timeout.#previous = this;
    timeout.#next = next;
    if (next !== null) next.#previous = timeout;
    this.#next = timeout;
  }

  /** Only for a slot's head: fires those whose turn it is. What one does may cancel others of the same slot. */
  expire(): void {
    const due: Timeout[] = [];
    for (let at = this.#next; at !== null; at = at.#next) {
      if (at.#turns === 0) due.push(at);
      else at.#turns -= 1;
    }
    for (const timeout of due) {
      if (timeout.#previous === null) continue;
      timeout.cancel();
      timeout.#onTimeout();
    }
  }
}

/** Coarse timeouts: each fires up to 10 ms late. One interval runs while anything may be pending. */
export class TimerWheel {
  readonly #slots: readonly Timeout[] = Array.from(
    { length: SLOTS },
    () => new Timeout(0, () => undefined),
  );
  #now = 0;
  /** Ticks until every timeout that was started has had its turn; then the interval stops. */
  #ticksLeft = 0;
  #interval: NodeJS.Timeout | null = null;

  start(delayMs: number, onTimeout: () => void): Timeout {
    const ticks = Math.max(1, Math.ceil(delayMs / TICK_MS));
    const timeout = new Timeout(Math.floor((ticks - 1) / SLOTS), onTimeout);
    this.#slots[(this.#now + ticks) % SLOTS]!.prepend(timeout);
    if (ticks > this.#ticksLeft) this.#ticksLeft = ticks;
    this.#interval ??= setInterval(() => this.#tick(), TICK_MS).unref();
    return timeout;
  }

  #tick(): void {
    this.#now = (this.#now + 1) % SLOTS;
    this.#ticksLeft -= 1;
    this.#slots[this.#now]!.expire();
    if (this.#ticksLeft <= 0 && this.#interval !== null) {
      clearInterval(this.#interval);
      this.#interval = null;
    }
  }
}
