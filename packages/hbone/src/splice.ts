// hot path: bytes of every connection
import { Duplex } from 'node:stream';
import {
  type BodyListener,
  type Exchange,
  type HttpError,
  readShared,
  resetSocket,
  SlabWriter,
} from '@aquifer/http';
import { streamError } from './errors.ts';

/** Receives byte counts while they flow. */
export interface SpliceCounters {
  /** Bytes passed from downstream to upstream. */
  received(bytes: number): void;
  /** Bytes passed from upstream to downstream. */
  sent(bytes: number): void;
}

/** One side of a splice: bytes from it go to `peer`, bytes to it come from there. */
interface Side {
  /** Set before anything flows. */
  peer: Side;
  /** Nothing can be read from it or written to it any more, and nothing will say so. */
  readonly isGone: boolean;
  /** Hands over what it holds and what arrives; the peer is there. */
  begin(): void;
  /** The chunk may be reused at once. False until the peer's `resume` is called. */
  write(chunk: Buffer): boolean;
  end(): void;
  pause(): void;
  resume(): void;
  /** Ends the side abruptly, so that an application cannot mistake a cut for a clean end. */
  cut(error: Error | null): void;
}

/**
 * Copies both directions until each has ended; the end of one is passed on and leaves the other open (half-close). What
 * the streams hold already is copied too, and an end that was read already is passed on; `early` is what was read of
 * downstream before. Resolves with null, or with the error that ended a side first. Both sides are closed when it resolves.
 */
export function splice(
  downstream: Duplex | Exchange,
  upstream: Duplex | Exchange,
  counters: SpliceCounters,
  early: Buffer | null = null,
): Promise<Error | null> {
  return new Promise((resolve) => {
    const state = new SpliceState(resolve);
    const down = sideOf(downstream, state, (bytes) => counters.received(bytes));
    const up = sideOf(upstream, state, (bytes) => counters.sent(bytes));
    down.peer = up;
    up.peer = down;
    if (early !== null) {
      counters.received(early.length);
      up.write(early);
    }
    state.start(down, up);
    if (down.isGone || up.isGone) state.fail(null);
  });
}

type Count = (bytes: number) => void;

function sideOf(stream: Duplex | Exchange, state: SpliceState, count: Count): Side {
  if (stream instanceof Duplex) return new DuplexSide(stream, state, count);
  return new ExchangeSide(stream, state, count);
}

class SpliceState {
  readonly #resolve: (failure: Error | null) => void;
  #sides: readonly Side[] = [];
  #open = 2;
  #failure: Error | null = null;
  #isCut = false;

  constructor(resolve: (failure: Error | null) => void) {
    this.#resolve = resolve;
  }

  start(down: Side, up: Side): void {
    this.#sides = [down, up];
    for (const side of this.#sides) side.resume();
    for (const side of this.#sides) side.begin();
  }

  fail(error: Error | null): void {
    this.#failure ??= error;
    if (this.#isCut) return;
    this.#isCut = true;
    for (const side of this.#sides) side.cut(this.#failure);
  }

  /** A side that closes before both its ends have passed was cut: the other must not wait for more. */
  closed(isComplete: boolean): void {
    if (!isComplete) this.fail(null);
    this.#open -= 1;
    if (this.#open === 0) this.#resolve(this.#failure);
  }
}

/** A TLS record is at most 16 KiB, and a read of a busy tunnel brings several: they leave in one system call. */
const GATHER_FROM_BYTES = 8192;

/** Enough under way to keep the link busy; well above a socket's own high-water mark. */
const CONGESTED_AT_BYTES = 262_144;

class DuplexSide implements Side {
  peer: Side = this;
  readonly #stream: Duplex;
  readonly #count: Count;
  /** Made for the first large chunk, or the first that has to wait: most connections never see one. */
  #writer: SlabWriter | null = null;

  constructor(stream: Duplex, state: SpliceState, count: Count) {
    this.#stream = stream;
    this.#count = count;
    stream.on('drain', () => this.peer.resume());
    stream.on('end', () => this.peer.end());
    stream.on('error', (error) => state.fail(error));
    stream.once('close', () => state.closed(stream.readableEnded && stream.writableFinished));
    if (stream.closed) queueMicrotask(() => state.closed(false));
  }

  get isGone(): boolean {
    return this.#stream.destroyed;
  }

  begin(): void {
    const stream = this.#stream;
    readShared(stream, (bytes) => {
      this.#count(bytes.length);
      return this.peer.write(bytes);
    });
    if (stream.readableEnded) this.peer.end();
  }

  write(chunk: Buffer): boolean {
    const stream = this.#stream;
    if (chunk.length >= GATHER_FROM_BYTES || this.#isBehind) {
      this.#writer ??= new SlabWriter(stream);
      this.#writer.append(chunk);
    } else stream.write(Buffer.from(chunk));
    return !(stream.writableNeedDrain && stream.writableLength >= CONGESTED_AT_BYTES);
  }

  /** What is written now waits for what was written before: in a buffer of its own it would cost far more than its bytes. */
  get #isBehind(): boolean {
    return this.#stream.writableLength > 0 || (this.#writer?.gathered ?? 0) > 0;
  }

  end(): void {
    this.#writer?.flush();
    this.#stream.end();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  cut(error: Error | null): void {
    if (!this.#stream.destroyed) resetSocket(this.#stream, error);
  }
}

class ExchangeSide implements Side, BodyListener {
  peer: Side = this;
  /** One that was cut says so when it is to be received. */
  readonly isGone = false;
  readonly #exchange: Exchange;
  readonly #state: SpliceState;
  readonly #count: Count;
  #isClosed = false;

  constructor(exchange: Exchange, state: SpliceState, count: Count) {
    this.#exchange = exchange;
    this.#state = state;
    this.#count = count;
  }

  begin(): void {
    this.#exchange.receive(this);
  }

  write(chunk: Buffer): boolean {
    return this.#exchange.write(chunk);
  }

  end(): void {
    this.#exchange.end();
  }

  pause(): void {
    this.#exchange.pause();
  }

  resume(): void {
    this.#exchange.resume();
  }

  cut(): void {
    this.#exchange.reset('CANCEL');
    this.#closed(false);
  }

  onData(chunk: Buffer): void {
    this.#count(chunk.length);
    if (!this.peer.write(chunk)) this.#exchange.pause();
  }

  onEnd(): void {
    this.peer.end();
  }

  onDrain(): void {
    this.peer.resume();
  }

  onClose(error: HttpError | null): void {
    if (error !== null) this.#state.fail(streamError(error));
    this.#closed(error === null);
  }

  #closed(isComplete: boolean): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#state.closed(isComplete);
  }
}
