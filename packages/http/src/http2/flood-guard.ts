import { Http2Error } from './error-codes.ts';

/** Limits of spec l7 3.10, as Envoy has them where nothing else is said. */
const MAX_EMPTY_DATA_IN_A_ROW = 100;
const MAX_QUEUED_CONTROL_FRAMES = 10_000;
const MAX_RECENT_RESETS = 500;
/** Callers that lose patience do so one by one: so many a second are forgotten. */
const RESETS_FORGOTTEN_PER_SECOND = 50;
const MAX_RESET_SHARE = 0.5;
/** Each may touch every stream, and honest peers send a handful. */
const SETTINGS_AT_FIRST = 100;
const PRIORITY_FRAMES_PER_STREAM = 100;
const WINDOW_UPDATES_PER_STREAM = 100;
/** For each frame of the usual size: ours may be larger, and are counted as so many. */
const WINDOW_UPDATES_PER_DATA_FRAME = 10;
const DATA_FRAME_BYTES = 16_384;

/**
 * Counts what a peer can send to cost us more than it costs itself. Each method counts one event and throws
 * ENHANCE_YOUR_CALM, which ends the connection, when there were too many.
 */
export class FloodGuard {
  #streams = 0;
  #resets = 0;
  #recentResets = 0;
  #lastResetMs = 0;
  #settings = 0;
  #emptyData = 0;
  #queuedLately = 0;
  #queuedBefore = 0;
  #priorities = 0;
  #windowUpdates = 0;
  #sentFrames = 0;
  readonly #now: () => number;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  streamOpened(): void {
    this.#streams += 1;
  }

  /** A stream that ended before it was answered: the peer took it back, or broke its rules. */
  streamWasted(): void {
    const nowMs = this.#now();
    const forgotten = ((nowMs - this.#lastResetMs) / 1000) * RESETS_FORGOTTEN_PER_SECOND;
    this.#recentResets = Math.max(0, this.#recentResets - forgotten) + 1;
    this.#lastResetMs = nowMs;
    this.#resets += 1;
    const isMany = this.#recentResets >= MAX_RECENT_RESETS;
    if (isMany && this.#resets > this.#streams * MAX_RESET_SHARE) throw flood('stream resets');
  }

  settingsArrived(): void {
    this.#settings += 1;
    if (this.#settings > SETTINGS_AT_FIRST + this.#streams) throw flood('SETTINGS frames');
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

  dataSent(bytes: number): void {
    this.#sentFrames += Math.max(1, bytes / DATA_FRAME_BYTES);
  }

  windowUpdateArrived(): void {
    this.#windowUpdates += 1;
    const allowed =
      WINDOW_UPDATES_PER_STREAM * (1 + this.#streams) +
      WINDOW_UPDATES_PER_DATA_FRAME * this.#sentFrames;
    if (this.#windowUpdates > allowed) throw flood('WINDOW_UPDATE frames');
  }
}

function flood(what: string): Http2Error {
  return new Http2Error('ENHANCE_YOUR_CALM', `too many ${what}`);
}
