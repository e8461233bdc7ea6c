// hot path: every request with a body
import type { HeaderList } from '@aquifer/http';
import { HeldBytes, maySpare } from './held-bytes.ts';

/** Beyond this a request cannot be sent again (spec l7 3.1). */
export const MAX_REPLAY_BYTES: number = 1024 * 1024;

/** The client's side of a body. */
export interface BodySource {
  /** Stops and restarts the arrival. What was read already may still arrive. */
  pause(): void;
  resume(): void;
}

/** An attempt that takes a body. */
export interface BodySink {
  /** The bytes may be reused once this returns. False to get no more before it calls `RequestBody.pull`. */
  write(chunk: Buffer): boolean;
  /** A chance to pass on what was gathered. */
  flush(): void;
  end(trailers: HeaderList | null): void;
}

/** Gets a copy of a body as it arrives. */
export interface BodyCopy {
  /** The bytes may be reused once this returns. */
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** The rest will not come. */
  cut(): void;
}

/**
 * ```
 * waiting ─startOver()─► taking ◄──pull()── full
 *    ▲                     │  └──── no room ──►│
 *    │                     └─ all given ─► ended
 *    └── release(): the attempt is given up, another follows
 * ```
 * and from each of them to `closed`: nobody will take any more of it.
 */
type Reader =
  | { readonly kind: 'waiting' }
  | { readonly kind: 'taking'; readonly sink: BodySink }
  | { readonly kind: 'full'; readonly sink: BodySink }
  | { readonly kind: 'ended' }
  | { readonly kind: 'closed' };

const WAITING: Reader = { kind: 'waiting' };
const ENDED: Reader = { kind: 'ended' };
const CLOSED: Reader = { kind: 'closed' };

/**
 * The only owner of a request's body. Always: an attempt gets every byte from the first one on, in order, or does not
 * start; while nobody takes the body the client is not read beyond what one read brings, so nothing need be thrown
 * away. Copies of what was passed on are kept up to a bound, until an answer has begun.
 */
export class RequestBody {
  readonly #source: BodySource;
  readonly #maxReplayBytes: number;
  readonly #held = new HeldBytes();
  /** Of what has arrived, `held` has all bytes, or only those that no attempt has taken. */
  #holds: 'all' | 'untaken' = 'all';
  #reader: Reader = WAITING;
  #isComplete: boolean;
  #trailers: HeaderList | null = null;
  #copies: BodyCopy[] | null = null;
  #isPaused = false;

  constructor(
    source: BodySource,
    options: { readonly isComplete: boolean; readonly maxReplayBytes: number },
  ) {
    this.#source = source;
    this.#isComplete = options.isComplete;
    this.#maxReplayBytes = options.maxReplayBytes;
  }

  /** Whether all of it has arrived. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** Whether an attempt may start: false once a byte has been passed on that is not kept. */
  get canStartOver(): boolean {
    return this.#holds === 'all' && this.#reader.kind !== 'closed';
  }

  /** Before any of it has arrived. */
  copyTo(copy: BodyCopy): void {
    this.#copies ??= [];
    this.#copies.push(copy);
    if (this.#isComplete) copy.onEnd();
  }

  /** Gives the body to an attempt, from its first byte on. Only while `canStartOver`. */
  startOver(sink: BodySink): void {
    this.#held.rewind();
    this.#give(sink);
  }

  /** The attempt has room again. */
  pull(): void {
    if (this.#reader.kind !== 'full') return;
    const { sink } = this.#reader;
    this.#give(sink);
    sink.flush();
  }

  /** The attempt that took the body is given up, and another will follow. */
  release(): void {
    if (this.#reader.kind !== 'closed') this.#reader = WAITING;
  }

  /** Nobody will send it again: an answer has begun. */
  forgoReplay(): void {
    this.#holds = 'untaken';
    this.#held.dropRead();
  }

  /** Nobody will take any more of it. */
  close(): void {
    if (!this.#isComplete) for (const copy of this.#copies ?? []) copy.cut();
    this.#reader = CLOSED;
    this.#held.drop();
  }

  /** A piece arrived; its bytes may be reused once this returns. */
  onData(chunk: Buffer): void {
    const reader = this.#reader;
    if (reader.kind === 'closed') return;
    if (this.#copies !== null) for (const copy of this.#copies) copy.onData(chunk);
    if (reader.kind !== 'taking') {
      this.#held.append(chunk);
      return;
    }
    if (this.#holds === 'all') this.#keep(chunk);
    if (!reader.sink.write(chunk)) this.#reader = { kind: 'full', sink: reader.sink };
  }

  /** What one read brought has been handed over, and more may follow. */
  onBatch(): void {
    const reader = this.#reader;
    if (reader.kind === 'taking' || reader.kind === 'full') reader.sink.flush();
    const isStuck = reader.kind === 'full' || (reader.kind === 'waiting' && this.#held.bytes > 0);
    if (!isStuck || this.#isComplete || this.#isPaused) return;
    this.#isPaused = true;
    this.#source.pause();
  }

  /** Before the end. */
  onTrailers(trailers: HeaderList): void {
    this.#trailers = trailers;
  }

  onEnd(): void {
    if (!this.#isComplete) for (const copy of this.#copies ?? []) copy.onEnd();
    this.#isComplete = true;
    this.#endIfAllTaken();
  }

  /** For another attempt, while it is not too much. */
  #keep(chunk: Buffer): void {
    const bytes = this.#held.bytes + chunk.length;
    if (bytes > this.#maxReplayBytes || !maySpare(chunk.length)) {
      this.forgoReplay();
      return;
    }
    this.#held.append(chunk);
    this.#held.readAll();
  }

  #give(sink: BodySink): void {
    let hasRoom = true;
    while (hasRoom && !this.#held.isRead) hasRoom = sink.write(this.#held.read());
    this.#reader = { kind: hasRoom ? 'taking' : 'full', sink };
    if (this.#held.bytes > this.#maxReplayBytes) this.#holds = 'untaken';
    if (this.#holds === 'untaken') this.#held.dropRead();
    this.#endIfAllTaken();
    if (hasRoom && this.#isPaused) {
      this.#isPaused = false;
      this.#source.resume();
    }
  }

  #endIfAllTaken(): void {
    const reader = this.#reader;
    if (!this.#isComplete || !this.#held.isRead) return;
    if (reader.kind !== 'taking' && reader.kind !== 'full') return;
    this.#reader = ENDED;
    reader.sink.end(this.#trailers);
  }
}
