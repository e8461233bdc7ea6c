/** A pod that is not ready by then lets the next one begin all the same; it may wait for that one. */
const HELD_AT_MOST_MS = 3_000;

/** Gives the slot back; once is enough, and more does no harm. */
export type ReleaseSlot = () => void;

/**
 * How many pods of this machine start at a time. All at once would share the processors until every one of them were late
 * for its probes; in waves the first are ready early.
 */
export class StartSlots {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(count: number) {
    this.#free = count;
  }

  /** Resolves when a slot is free, in the order of the calls. It is given back by itself after a while. */
  async take(): Promise<ReleaseSlot> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    let isHeld = true;
    const release = (): void => {
      if (!isHeld) return;
      isHeld = false;
      clearTimeout(timer);
      const next = this.#waiting.shift();
      if (next === undefined) this.#free++;
      else next();
    };
    const timer = setTimeout(release, HELD_AT_MOST_MS).unref();
    return release;
  }
}
