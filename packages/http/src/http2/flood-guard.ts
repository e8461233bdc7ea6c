import { Http2Error } from './error-codes.ts';

/** Limits of spec l7 3.10, as Envoy has them. */
const MAX_EMPTY_DATA_IN_A_ROW = 100;
const MAX_QUEUED_CONTROL_FRAMES = 10_000;
const RESETS_COUNT_FROM_STREAMS = 500;
const MAX_RESET_SHARE = 0.5;
const PRIORITY_FRAMES_PER_STREAM = 100;
const WINDOW_UPDATES_PER_STREAM = 100;
const WINDOW_UPDATES_PER_DATA_FRAME = 10;

/**
 * Counts what a peer can send to cost us more than it costs itself. Each method counts one event and throws
 * ENHANCE_YOUR_CALM, which ends the connection, when there were too many.
 */
export class FloodGuard {
  #streams = 0;
  #resets = 0;
  #emptyData = 0;
  #queuedLately = 0;
  #queuedBefore = 0;
  #priorities = 0;
  #windowUpdates = 0;
  #sentData = 0;

  streamOpened(): void {
    this.#streams += 1;
  }

  /** A stream that ended before it was answered: the peer took it back, or broke its rules. */
  streamWasted(): void {
    this.#resets += 1;
    const isMany = this.#streams >= RESETS_COUNT_FROM_STREAMS;
    if (isMany && this.#resets > this.#streams * MAX_RESET_SHARE) throw flood('stream resets');
  }

  dataArrived(isEmpty: boolean): void {
    this.#emptyData = isEmpty ? this.#emptyData + 1 : 0;
    if (this.#emptyData > MAX_EMPTY_DATA_IN_A_ROW) throw flood('empty DATA frames');
  }

  /** A frame was queued that flow control does not hold back. Does not throw: it may be sent at any time. */
  controlQueued(): void {
    this.#queuedLately += 1;
  }

  /** All that was queued before the last call has left. */
  queueAdvanced(): void {
    this.#queuedBefore = this.#queuedLately;
    this.#queuedLately = 0;
  }

  /** The peer is about to make us send more. */
  assertControlLeaves(): void {
    if (this.#queuedBefore + this.#queuedLately > MAX_QUEUED_CONTROL_FRAMES) {
      throw flood('unread control frames');
    }
  }

  priorityArrived(): void {
    this.#priorities += 1;
    if (this.#priorities > PRIORITY_FRAMES_PER_STREAM * (1 + this.#streams)) {
      throw flood('PRIORITY frames');
    }
  }

  dataSent(): void {
    this.#sentData += 1;
  }

  windowUpdateArrived(): void {
    this.#windowUpdates += 1;
    const allowed =
      WINDOW_UPDATES_PER_STREAM * (1 + this.#streams) +
      WINDOW_UPDATES_PER_DATA_FRAME * this.#sentData;
    if (this.#windowUpdates > allowed) throw flood('WINDOW_UPDATE frames');
  }
}

function flood(what: string): Http2Error {
  return new Http2Error('ENHANCE_YOUR_CALM', `too many ${what}`);
}
