import { setImmediate as nextTurn } from 'node:timers/promises';

/**
 * Long work in slices, so that whatever else the thread has to do waits for one slice at most:
 *
 *     const slice = new TimeSlice(5);
 *     for (const item of items) {
 *       if (slice.isOver()) await slice.next();
 *       …
 *     }
 */
export class TimeSlice {
  readonly #lengthMs: number;
  #endsAtMs: number;

  constructor(lengthMs: number) {
    this.#lengthMs = lengthMs;
    this.#endsAtMs = performance.now() + lengthMs;
  }

  isOver(): boolean {
    return performance.now() >= this.#endsAtMs;
  }

  /** Lets everything go on that is due, and begins another slice. */
  async next(): Promise<void> {
    await nextTurn();
    this.#endsAtMs = performance.now() + this.#lengthMs;
  }
}
