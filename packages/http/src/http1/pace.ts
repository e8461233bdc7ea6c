// hot path: every read of a connection
import { atTurnEnd, type TurnListener } from '../sockets/turn.ts';

/** Of its bodies a peer may send so many pieces before others come first. */
const PIECES_AT_ONCE = 1_000;

/**
 * Whether a peer gives so much to do at once that the other connections of the thread come first. Chunks may hold a byte
 * each, and without a pause libuv reads up to 4 MiB of them from one socket in a turn, which is seconds of work.
 */
export class Pace implements TurnListener {
  readonly #onGoOn: () => void;
  #piecesBefore = 0;
  #isWaiting = false;

  /** `onGoOn` is called when the others have had their turn. */
  constructor(onGoOn: () => void) {
    this.#onGoOn = onGoOn;
  }

  /** The others have not had their turn yet. */
  get isWaiting(): boolean {
    return this.#isWaiting;
  }

  /** After each read, with all pieces that have come so far. */
  isOver(pieces: number): boolean {
    if (pieces - this.#piecesBefore < PIECES_AT_ONCE) return this.#isWaiting;
    this.#piecesBefore = pieces;
    if (!this.#isWaiting) atTurnEnd(this);
    this.#isWaiting = true;
    return true;
  }

  onTurnEnd(): void {
    this.#isWaiting = false;
    this.#onGoOn();
  }
}
