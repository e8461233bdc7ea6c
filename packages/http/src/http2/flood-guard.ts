import { type HttpError, violation } from '../http-error.ts';

const KIB = 1024;
const MIB = 1024 * KIB;

/** What counts is above `most` at once; so much of it is forgotten every second. */
interface Allowance {
  readonly what: string;
  readonly most: number;
  readonly forgottenPerSecond: number;
}

/** Limits of spec l7 3.10 where it has one. Honest peers stay far below the others. */
const ALLOWANCES = {
  /** Streams that ended before they were of use to anybody. Callers that lose patience do so one by one. */
  resets: { what: 'stream resets', most: 500, forgottenPerSecond: 50 },
  /** Each may touch every stream. */
  settings: { what: 'SETTINGS frames', most: 100, forgottenPerSecond: 10 },
  /** Beyond one for each request and each frame of DATA: some peers measure the delay with them while they send. */
  pings: { what: 'PING frames', most: 10_000, forgottenPerSecond: 1000 },
  /** Frames of DATA without a byte of data, which no window limits. */
  emptyData: { what: 'empty DATA frames', most: 100, forgottenPerSecond: 10 },
  priorities: { what: 'PRIORITY frames', most: 100, forgottenPerSecond: 100 },
  /** Beyond what the bytes that were sent account for, see `dataSent`. */
  windowUpdates: { what: 'WINDOW_UPDATE frames', most: 100, forgottenPerSecond: 100 },
  /** As `SETTINGS_MAX_HEADER_LIST_SIZE` counts. A few bytes that name a field of the table stand for all of it. */
  headerBytes: { what: 'header bytes', most: 256 * MIB, forgottenPerSecond: 64 * MIB },
} as const satisfies Readonly<Record<string, Allowance>>;

const MAX_QUEUED_CONTROL_FRAMES = 10_000;
/** Of all streams, so many may end unused. */
const MAX_RESET_SHARE = 0.5;
/** A stream that was opened accounts for so many. */
const PRIORITIES_PER_STREAM = 100;
const WINDOW_UPDATES_PER_STREAM = 100;
/** A frame that was sent accounts for so many updates, and for one more for each of so many bytes. */
const WINDOW_UPDATES_PER_FRAME = 10;
const BYTES_PER_WINDOW_UPDATE = KIB;
/** What was earned is not saved up without end. */
const MOST_SAVED = 10_000;

/** An amount that decays; only when it seems too much is the clock read. After a pause twice as much may come at once. */
class Count {
  readonly #allowance: Allowance;
  #amount = 0;
  #decayedAtMs: number;

  constructor(allowance: Allowance, nowMs: number) {
    this.#allowance = allowance;
    this.#decayedAtMs = nowMs;
  }

  /** Throws ENHANCE_YOUR_CALM if it is too much. */
  add(amount: number, now: () => number): void {
    this.#amount += amount;
    if (this.#amount > this.#allowance.most && this.#isTooMuch(now())) {
      throw flood(this.#allowance.what);
    }
  }

  /** As `add`, but tells. */
  isTooMuchWith(amount: number, now: () => number): boolean {
    this.#amount += amount;
    return this.#amount > this.#allowance.most && this.#isTooMuch(now());
  }

  #isTooMuch(nowMs: number): boolean {
    const { most, forgottenPerSecond } = this.#allowance;
    const forgotten = ((nowMs - this.#decayedAtMs) / 1000) * forgottenPerSecond;
    this.#decayedAtMs = nowMs;
    this.#amount = Math.max(0, this.#amount - forgotten);
    return this.#amount > most;
  }

  accountFor(amount: number): void {
    this.#amount = Math.max(-MOST_SAVED, this.#amount - amount);
  }

  clear(): void {
    this.#amount = 0;
  }
}

/**
 * Counts what a peer can send to cost us more than it costs itself, and forgets it with time. A method counts one
 * event and throws ENHANCE_YOUR_CALM, which ends the connection, when there were too many. Small frames of DATA need no
 * count: each byte of them uses up a window, and what is held of them costs their bytes.
 */
export class FloodGuard {
  readonly #now: () => number;
  readonly #resets: Count;
  readonly #settings: Count;
  readonly #pings: Count;
  readonly #emptyData: Count;
  readonly #priorities: Count;
  readonly #windowUpdates: Count;
  readonly #headerBytes: Count;
  #streams = 0;
  #wasted = 0;
  #queuedLately = 0;
  #queuedBefore = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    const nowMs = now();
    this.#resets = new Count(ALLOWANCES.resets, nowMs);
    this.#settings = new Count(ALLOWANCES.settings, nowMs);
    this.#pings = new Count(ALLOWANCES.pings, nowMs);
    this.#emptyData = new Count(ALLOWANCES.emptyData, nowMs);
    this.#priorities = new Count(ALLOWANCES.priorities, nowMs);
    this.#windowUpdates = new Count(ALLOWANCES.windowUpdates, nowMs);
    this.#headerBytes = new Count(ALLOWANCES.headerBytes, nowMs);
  }

  streamOpened(): void {
    this.#streams += 1;
    this.#priorities.accountFor(PRIORITIES_PER_STREAM);
    this.#windowUpdates.accountFor(WINDOW_UPDATES_PER_STREAM);
    this.#settings.accountFor(1);
    this.#pings.accountFor(1);
  }

  /** A stream that ended before it was answered, or had carried a byte: the peer took it back, or broke its rules. */
  streamWasted(): void {
    this.#wasted += 1;
    const isMany = this.#resets.isTooMuchWith(1, this.#now);
    if (isMany && this.#wasted > this.#streams * MAX_RESET_SHARE) throw flood('stream resets');
  }

  settingsArrived(): void {
    this.#settings.add(1, this.#now);
  }

  pingArrived(): void {
    this.#pings.add(1, this.#now);
  }

  headersDecoded(bytes: number): void {
    this.#headerBytes.add(bytes, this.#now);
  }

  dataArrived(isEmpty: boolean): void {
    if (isEmpty) this.#emptyData.add(1, this.#now);
    else {
      this.#emptyData.clear();
      this.#pings.accountFor(1);
    }
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
    this.#priorities.add(1, this.#now);
  }

  dataSent(bytes: number): void {
    this.#windowUpdates.accountFor(WINDOW_UPDATES_PER_FRAME + bytes / BYTES_PER_WINDOW_UPDATE);
  }

  windowUpdateArrived(): void {
    this.#windowUpdates.add(1, this.#now);
  }
}

function flood(what: string): HttpError {
  return violation('ENHANCE_YOUR_CALM', `too many ${what}`);
}
