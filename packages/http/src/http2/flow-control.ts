// hot path: every DATA frame that arrives
import { violation } from '../http-error.ts';
import type { Http2Limits } from './settings.ts';

/**
 * What a peer may send, and what of it we hold.
 *
 * The connection's window is given back as soon as bytes have arrived, so a stream that nobody reads costs its
 * neighbours nothing. What is held is bounded by the streams' own windows: each begins with `streamWindowBytes`, and grows
 * up to `maxStreamWindowBytes` while its reader keeps up. What all of them have grown together is at most
 * `windowGrowthBytes`, of which those that grew take equal shares as they read on. Always: a connection holds at most
 * `maxConcurrentStreams x streamWindowBytes + windowGrowthBytes`.
 */
export class ConnectionWindow {
  readonly #limits: Http2Limits;
  readonly #sendCredit: (bytes: number) => void;
  readonly #creditStep: number;
  #open: number;
  #credit = 0;
  #grownBytes = 0;
  #grownStreams = 0;

  constructor(limits: Http2Limits, sendCredit: (bytes: number) => void) {
    this.#limits = limits;
    this.#sendCredit = sendCredit;
    this.#open = limits.connectionWindowBytes;
    this.#creditStep = limits.connectionWindowBytes / 2;
  }

  /** What a stream's window begins with. */
  get streamWindowBytes(): number {
    return this.#limits.streamWindowBytes;
  }

  /** Throws FLOW_CONTROL_ERROR if the peer sent more than it may. */
  arrived(bytes: number): void {
    this.#open -= bytes;
    if (this.#open < 0) throw violation('FLOW_CONTROL_ERROR', 'DATA beyond the connection window');
    this.#credit += bytes;
    if (this.#credit < this.#creditStep) return;
    const credit = this.#credit;
    this.#credit = 0;
    this.#open += credit;
    this.#sendCredit(credit);
  }

  /**
   * What a stream whose reader keeps up may have instead of its `size`: twice as much, or less where many share, but not
   * less than it uses.
   */
  resized(size: number, usedBytes: number): number {
    const { streamWindowBytes, maxStreamWindowBytes, windowGrowthBytes } = this.#limits;
    const hasGrown = size > streamWindowBytes;
    // One share is left for the next one that wants to grow.
    const share = Math.floor(windowGrowthBytes / (this.#grownStreams + 1));
    const left = windowGrowthBytes - this.#grownBytes;
    const most = Math.min(2 * size, maxStreamWindowBytes, streamWindowBytes + share, size + left);
    const next = Math.max(most, usedBytes);
    this.#grownBytes += next - size;
    if (next > streamWindowBytes) this.#grownStreams += hasGrown ? 0 : 1;
    else this.#grownStreams -= hasGrown ? 1 : 0;
    return next;
  }

  /** A stream has ended whose window had this size. */
  closed(size: number): void {
    const grown = size - this.#limits.streamWindowBytes;
    if (grown === 0) return;
    this.#grownBytes -= grown;
    this.#grownStreams -= 1;
  }
}

/** The window of one stream that receives. Always: what is open and what is held are together at most its size. */
export class StreamWindow {
  readonly #connection: ConnectionWindow;
  #size: number;
  /** Bytes that the peer may still send. */
  #open: number;
  #held = 0;

  constructor(connection: ConnectionWindow) {
    this.#connection = connection;
    this.#size = connection.streamWindowBytes;
    this.#open = this.#size;
  }

  /** False if the peer sent more than it may. */
  arrived(bytes: number): boolean {
    this.#open -= bytes;
    this.#held += bytes;
    return this.#open >= 0;
  }

  /** Bytes were read, or nobody will read them: what to give back to the peer, in large steps and else 0. */
  taken(bytes: number): number {
    this.#held -= bytes;
    if (this.#size - this.#open - this.#held < this.#size / 2) return 0;
    // Only a reader that has caught up can use more.
    const isCaughtUp = this.#held < this.#size / 4;
    if (isCaughtUp) this.#size = this.#connection.resized(this.#size, this.#open + this.#held);
    const credit = this.#size - this.#open - this.#held;
    this.#open += credit;
    return credit;
  }

  close(): void {
    this.#connection.closed(this.#size);
  }
}
