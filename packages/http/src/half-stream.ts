// hot path: every byte of every body
import type { BodyListener } from './exchange.ts';
import type { HeaderList } from './headers.ts';
import type { HttpError } from './http-error.ts';
import { ByteQueue } from './sockets/byte-queue.ts';

/**
 * Most that is kept of all connections that have ended, for readers that have not come to it yet, in bytes per thread.
 * What would exceed it is dropped, and its reader hears that the connection was lost.
 */
const MAX_KEPT_OF_LOST_BYTES = 64 * 1024 * 1024;
let keptOfLostBytes = 0;

/** Whose half it is. */
export interface ReceivingHost {
  /** So many bytes were handed over, or will never be. */
  taken(bytes: number): void;
  /** The end is about to be told: all before it has been. */
  ending(): void;
  /** The end has been told. */
  ended(): void;
}

type Receiving =
  | {
      readonly kind: 'unclaimed';
      readonly whenReset: ((error: HttpError) => void) | null;
      /** There was room again for what is sent, and nobody to tell. */
      readonly hasDrained: boolean;
    }
  | { readonly kind: 'claimed'; readonly listener: BodyListener; isPaused: boolean }
  | { readonly kind: 'over' };

const UNCLAIMED: Receiving = { kind: 'unclaimed', whenReset: null, hasDrained: false };
const OVER: Receiving = { kind: 'over' };

/**
 * What an exchange received behind its head: a queue of bytes, the end with its trailers, and the close. Always: they
 * are told in this order, and none while the listener has paused.
 */
export class ReceivingHalf {
  readonly #host: ReceivingHost;
  #state: Receiving = UNCLAIMED;
  #held: ByteQueue | null = null;
  #end: { readonly trailers: HeaderList | null } | null = null;
  #close: { readonly error: HttpError | null } | null = null;
  /** Of `#held`, what counts as kept of a lost connection. */
  #keptBytes = 0;

  constructor(host: ReceivingHost) {
    this.#host = host;
  }

  /** Bytes that have arrived and wait for a reader. */
  get heldBytes(): number {
    return this.#held?.length ?? 0;
  }

  /** Something waits for a reader, who does not want it now. */
  get isStuck(): boolean {
    return this.#held !== null && this.#isStopped;
  }

  /** The listener wants to hear when a read is over. */
  get wantsBatches(): boolean {
    return this.#state.kind === 'claimed' && this.#state.listener.onBatch !== undefined;
  }

  claim(listener: BodyListener): void {
    if (this.#state.kind !== 'unclaimed') return;
    // A writer that has to wait may wait for nothing else.
    const hasRoom = this.#state.hasDrained && this.#close === null;
    this.#state = { kind: 'claimed', listener, isPaused: false };
    if (hasRoom) listener.onDrain();
    this.#tell();
  }

  whenReset(whenReset: (error: HttpError) => void): void {
    if (this.#state.kind !== 'unclaimed') return;
    this.#state = { ...this.#state, whenReset };
    if (this.#close?.error) whenReset(this.#close.error);
  }

  pause(): void {
    if (this.#state.kind === 'claimed') this.#state.isPaused = true;
  }

  resume(): void {
    if (this.#state.kind !== 'claimed' || !this.#state.isPaused) return;
    this.#state.isPaused = false;
    this.#tell();
  }

  /** A piece arrived; its memory may be reused at once. */
  data(chunk: Buffer): void {
    const state = this.#state;
    if (state.kind === 'claimed' && !state.isPaused && this.#held === null) {
      this.#host.taken(chunk.length);
      state.listener.onData(chunk);
    } else if (state.kind === 'over') this.#host.taken(chunk.length);
    else {
      this.#held ??= new ByteQueue();
      this.#held.push(chunk);
    }
  }

  /** All of the message has arrived. */
  end(trailers: HeaderList | null): void {
    this.#end = { trailers };
    this.#tell();
  }

  /** A read is over. */
  batch(): void {
    if (this.#state.kind === 'claimed') this.#state.listener.onBatch?.();
  }

  /** There is room again for what is sent. */
  drain(): void {
    const state = this.#state;
    if (state.kind === 'claimed') state.listener.onDrain();
    else if (state.kind === 'unclaimed' && !state.hasDrained) {
      this.#state = { ...state, hasDrained: true };
    }
  }

  /** The peer has said that the connection ends. */
  connectionEnding(): void {
    if (this.#state.kind === 'claimed') this.#state.listener.onConnectionEnding?.();
  }

  /** Both halves have ended, or the connection has: told behind what was received before. */
  close(error: HttpError | null): void {
    if (this.#close !== null || this.#state.kind === 'over') return;
    const { heldBytes } = this;
    const isEmpty = heldBytes === 0 && this.#end === null;
    if (error !== null && (isEmpty || keptOfLostBytes + heldBytes > MAX_KEPT_OF_LOST_BYTES)) {
      this.cut(error);
      return;
    }
    this.#close = { error };
    if (error !== null) {
      this.#keptBytes = heldBytes;
      keptOfLostBytes += heldBytes;
      if (this.#state.kind === 'unclaimed') this.#state.whenReset?.(error);
    }
    this.#tell();
  }

  /** The peer gave the exchange up: told at once, and what was not read is dropped. */
  cut(error: HttpError): void {
    const state = this.#state;
    this.#dropHeld();
    this.#end = null;
    this.#close = { error };
    if (state.kind === 'unclaimed') state.whenReset?.(error);
    if (state.kind !== 'claimed') return;
    this.#state = OVER;
    state.listener.onClose(error);
  }

  /** This side has answered before it had the whole request, which it wants no more of. */
  finish(): void {
    const state = this.#state;
    this.drop();
    if (state.kind === 'claimed') state.listener.onClose(null);
  }

  /** Nobody wants any more of it. */
  drop(): void {
    this.#state = OVER;
    this.#dropHeld();
  }

  /** Nothing is handed over now. */
  get #isStopped(): boolean {
    return this.#state.kind === 'claimed' ? this.#state.isPaused : this.#state.kind === 'unclaimed';
  }

  #tell(): void {
    const state = this.#state;
    if (state.kind !== 'claimed' || state.isPaused) return;
    if (this.#held !== null && !this.#tellHeld(state)) return;
    if (this.#end !== null) {
      const { trailers } = this.#end;
      this.#end = null;
      this.#host.ending();
      if (trailers !== null) state.listener.onTrailers?.(trailers);
      state.listener.onEnd();
      this.#host.ended();
    }
    // The listener may have given up meanwhile, or have paused.
    if (this.#close === null || this.#state !== state || state.isPaused) return;
    this.#state = OVER;
    state.listener.onClose(this.#close.error);
  }

  /** False if the listener has paused or given up meanwhile, or all that follows was told within. */
  #tellHeld(state: Receiving & { readonly kind: 'claimed' }): boolean {
    const held = this.#held!;
    for (let chunk = held.shift(); chunk !== undefined; chunk = held.shift()) {
      this.#taken(chunk.length);
      state.listener.onData(chunk);
      if (state.isPaused || this.#held !== held) return false;
    }
    this.#held = null;
    state.listener.onBatch?.();
    return this.#state === state && !state.isPaused && this.#held === null;
  }

  #dropHeld(): void {
    const held = this.#held;
    this.#held = null;
    if (held !== null && held.length > 0) this.#taken(held.length);
  }

  #taken(bytes: number): void {
    const kept = Math.min(this.#keptBytes, bytes);
    this.#keptBytes -= kept;
    keptOfLostBytes -= kept;
    this.#host.taken(bytes);
  }
}

/** Where a half that sends puts its bytes. */
export interface BodyWire {
  /** Sends what may be sent now; the rest, or null. */
  send(chunk: Buffer): Buffer | null;
  sendEnd(trailers: HeaderList | null): void;
  readonly hasRoom: boolean;
  /** `SendingHalf.onRoom` is to be called when there is; `isBlocked` if not all that was given could be sent. */
  waitForRoom(isBlocked: boolean): void;
}

type Sending =
  | { readonly kind: 'idle' }
  | { readonly kind: 'open' }
  /** Not all that was written could be sent. */
  | { readonly kind: 'blocked'; readonly unsent: ByteQueue }
  | { readonly kind: 'ending'; readonly unsent: ByteQueue; readonly trailers: HeaderList | null }
  | { readonly kind: 'ended' }
  | { readonly kind: 'cut' };

const IDLE: Sending = { kind: 'idle' };
const OPEN: Sending = { kind: 'open' };
const ENDED: Sending = { kind: 'ended' };
const CUT: Sending = { kind: 'cut' };

/** What an exchange sends behind its head. Always: trailers and the end leave behind all bytes that were written. */
export class SendingHalf {
  readonly #wire: BodyWire;
  #state: Sending = IDLE;

  constructor(wire: BodyWire) {
    this.#wire = wire;
  }

  get kind(): Sending['kind'] {
    return this.#state.kind;
  }

  /** The head has been sent, and with it the end if nothing follows. */
  headSent(isEnd: boolean): void {
    if (this.#state.kind === 'idle') this.#state = isEnd ? ENDED : OPEN;
  }

  /** False when the caller should wait. */
  write(chunk: Buffer): boolean {
    const state = this.#state;
    if (state.kind === 'blocked') state.unsent.push(chunk);
    if (state.kind !== 'open') return false;
    const rest = this.#wire.send(chunk);
    if (rest !== null) {
      const unsent = new ByteQueue();
      unsent.push(rest);
      this.#state = { kind: 'blocked', unsent };
    } else if (this.#wire.hasRoom) return true;
    this.#wire.waitForRoom(rest !== null);
    return false;
  }

  end(trailers: HeaderList | null): void {
    const state = this.#state;
    if (state.kind === 'open') this.#sendEnd(trailers);
    else if (state.kind === 'blocked') {
      this.#state = { kind: 'ending', unsent: state.unsent, trailers };
    }
  }

  /** Sends what waits. True if all of it has left, and more may follow. */
  onRoom(): boolean {
    const state = this.#state;
    if (state.kind === 'blocked' || state.kind === 'ending') {
      if (!this.#sendUnsent(state.unsent)) return false;
      if (state.kind === 'blocked') this.#state = OPEN;
      else this.#sendEnd(state.trailers);
    }
    if (this.#state.kind !== 'open') return false;
    if (this.#wire.hasRoom) return true;
    this.#wire.waitForRoom(false);
    return false;
  }

  #sendUnsent(unsent: ByteQueue): boolean {
    for (let piece = unsent.shift(); piece !== undefined; piece = unsent.shift()) {
      const rest = this.#wire.send(piece);
      if (rest === null) continue;
      unsent.putBack(rest);
      this.#wire.waitForRoom(true);
      return false;
    }
    return true;
  }

  /** Nothing more is sent. */
  cut(): void {
    if (this.#state.kind !== 'ended') this.#state = CUT;
  }

  #sendEnd(trailers: HeaderList | null): void {
    this.#state = ENDED;
    this.#wire.sendEnd(trailers);
  }
}
