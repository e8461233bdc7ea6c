// hot path: every read of a connection
import { atTurnEnd, type TurnListener } from './turn.ts';

/**
 * Whether a peer gives so much to do at once that the other connections of the thread come first. Chunks and frames may hold
 * a byte each, and without a pause libuv reads up to 4 MiB of them from one socket in a turn, which is seconds of work.
 */
export class Pace implements TurnListener {
  readonly #mostAtOnce: number;
  readonly #onGoOn: () => void;
  #doneBefore = 0;
  #isWaiting = false;

  /** `onGoOn` is called when the others have had their turn. */
  constructor(mostAtOnce: number, onGoOn: () => void) {
    this.#mostAtOnce = mostAtOnce;
    this.#onGoOn = onGoOn;
  }

  /** The others have not had their turn yet. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** After each read, with all the work that has come so far. */
  isOver(done: number): boolean {
    if (done - this.#doneBefore < this.#mostAtOnce) return this.#isWaiting;
    this.#doneBefore = done;
    if (!this.#isWaiting) atTurnEnd(this);
    this.#isWaiting = true;
    return true;
  }

  onTurnEnd(): void {
    this.#isWaiting = false;
    this.#onGoOn();
  }
}
