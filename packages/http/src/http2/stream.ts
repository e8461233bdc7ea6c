// hot path: DATA of every stream
import type { HeaderList } from '../http1/headers.ts';
import { ByteQueue } from '../sockets/byte-queue.ts';
import type { ErrorCodeName, Http2Error } from './error-codes.ts';
import { MAX_WINDOW_BYTES } from './frames.ts';

/**
 * Takes what arrives on a stream. `onClose` comes once, last: with null after both sides have ended, else with the
 * reason. Nothing is called after this side has reset the stream.
 */
export interface Http2StreamListener {
  /** The answer at a client; at both, trailers. Interim answers (1xx) are not shown. */
  onHeaders(headers: HeaderList): void;
  /** The bytes are valid until it returns. */
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** There is room again after `write` returned false. */
  onDrain(): void;
  onClose(error: Http2Error | null): void;
}

/** What a stream needs of its connection. */
export interface StreamHost {
  /** Flow-control window of the connection, in bytes. */
  sendWindow: number;
  readonly maxSendFrameBytes: number;
  readonly isCongested: boolean;
  sendData(stream: Http2Stream, payload: Buffer, isEnd: boolean): void;
  sendHeaders(stream: Http2Stream, headers: readonly string[], isEnd: boolean): void;
  sendReset(stream: Http2Stream, reason: ErrorCodeName): void;
  sendStreamCredit(stream: Http2Stream, bytes: number): void;
  /** Bytes that were read, or will never be. */
  creditConnection(bytes: number): void;
  /** Calls `onRoom` when the connection has window and the transport has drained. */
  waitForRoom(stream: Http2Stream): void;
  /** Both sides have ended, or one was reset: the stream no longer counts. */
  forget(stream: Http2Stream): void;
}

const EMPTY = Buffer.alloc(0);

/**
 * One stream of a connection. Always: what `write` takes is sent in order, what arrives while paused is kept (at
 * most the window), and credit is returned only for what the listener took.
 */
export class Http2Stream {
  readonly id: number;
  /** Bytes of body still promised by content-length; null if nothing was promised. For the connection. */
  promisedBytes: number | null = null;
  /** The request or the final answer has arrived. For the connection. */
  hasReceivedHead = false;
  /** The answer's content-length counts no DATA, as with HEAD. For the connection. */
  hasBodilessAnswer = false;
  /** Bytes that the peer may still send. For the connection. */
  receiveWindow: number;
  /** Set by whoever takes the stream; before that, nothing may arrive: see `pause`. */
  listener: Http2StreamListener;
  readonly #host: StreamHost;
  readonly #creditStep: number;
  #sendWindow: number;
  #credit = 0;
  #unsent: ByteQueue | null = null;
  #unread: ByteQueue | null = null;
  #isPaused = false;
  #hasSentHeaders = false;
  #hasEnded = false;
  #hasSentEnd = false;
  #hasReceivedEnd = false;
  #hasDeliveredEnd = false;
  #isClosed = false;
  #hasToldClosed = false;
  #closeError: Http2Error | null = null;

  constructor(
    host: StreamHost,
    id: number,
    windows: { readonly send: number; readonly receive: number },
    listener: Http2StreamListener,
  ) {
    this.#host = host;
    this.id = id;
    this.#sendWindow = windows.send;
    this.receiveWindow = windows.receive;
    this.#creditStep = windows.receive / 2;
    this.listener = listener;
  }

  /** Both sides have ended, or one has reset it. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  get hasSentHeaders(): boolean {
    return this.#hasSentHeaders;
  }

  get hasReceivedEnd(): boolean {
    return this.#hasReceivedEnd;
  }

  /** Sends a header list: the request or answer first, trailers with `isEnd` later. */
  sendHeaders(headers: readonly string[], isEnd = false): void {
    if (this.#isClosed || this.#hasEnded) return;
    this.#hasSentHeaders = true;
    this.#host.sendHeaders(this, headers, isEnd);
    if (!isEnd) return;
    this.#hasEnded = true;
    this.#sentEnd();
  }

  /** False when the caller should wait for `onDrain`; the chunk is taken all the same, and may be reused at once. */
  write(chunk: Buffer): boolean {
    if (this.#isClosed || this.#hasEnded) return false;
    if (this.#unsent !== null) {
      this.#unsent.push(chunk);
      return false;
    }
    const rest = this.#send(chunk);
    if (rest !== null) {
      this.#unsent = new ByteQueue();
      this.#unsent.push(rest);
    } else if (!this.#host.isCongested) return true;
    this.#host.waitForRoom(this);
    return false;
  }

  /** Ends this side after what was written; the other stays open. */
  end(): void {
    if (this.#isClosed || this.#hasEnded) return;
    this.#hasEnded = true;
    if (this.#unsent === null) this.#sendEnd();
  }

  /** Keeps what arrives, up to the window, its end included. */
  pause(): void {
    this.#isPaused = true;
  }

  resume(): void {
    if (!this.#isPaused) return;
    this.#isPaused = false;
    const unread = this.#unread;
    if (unread !== null) {
      for (let chunk = unread.shift(); chunk !== undefined; chunk = unread.shift()) {
        this.#deliver(chunk);
        // The listener may have paused, or given up.
        if (this.#isPaused || this.#unread === null) return;
      }
      this.#unread = null;
    }
    if (this.#hasReceivedEnd) this.#deliverEnd();
  }

  /** Gives up: nothing more is sent or delivered. After both sides have ended it only drops what was not read. */
  reset(reason: ErrorCodeName): void {
    this.#hasDeliveredEnd = true;
    this.#hasToldClosed = true;
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.#host.sendReset(this, reason);
      this.#host.forget(this);
    }
    this.#discard();
  }

  /** For the connection: a piece of DATA. */
  receive(chunk: Buffer): void {
    if (this.#isClosed) this.#host.creditConnection(chunk.length);
    else if (this.#isPaused || this.#unread !== null) {
      this.#unread ??= new ByteQueue();
      this.#unread.push(chunk);
    } else this.#deliver(chunk);
  }

  /** For the connection: padding was received, which nobody reads. */
  receivePadding(bytes: number): void {
    this.#returnCredit(bytes);
  }

  /** For the connection: END_STREAM. */
  receiveEnd(): void {
    this.#hasReceivedEnd = true;
    if (this.#hasSentEnd) this.#close();
    if (!this.#isPaused && this.#unread === null) this.#deliverEnd();
  }

  /** For the connection: the peer reset the stream, or the connection ended. */
  receiveClose(error: Http2Error): void {
    if (this.#isClosed) return;
    this.#close();
    if (this.#hasReceivedEnd && !this.#hasDeliveredEnd && error.reason === 'NO_ERROR') {
      // A complete answer, and no interest in the rest of the request: the answer is still to be read.
      this.#unsent = null;
      this.#hasSentEnd = true;
      this.#closeError = error;
      return;
    }
    this.#discard();
    this.#hasDeliveredEnd = true;
    this.#hasToldClosed = true;
    this.listener.onClose(error);
  }

  /** For the connection: WINDOW_UPDATE or new SETTINGS. False if the window grew too large. */
  widen(bytes: number): boolean {
    this.#sendWindow += bytes;
    if (this.#sendWindow > MAX_WINDOW_BYTES) return false;
    if (bytes > 0) this.onRoom();
    return true;
  }

  /** For the connection: sends what waits, and tells the listener if there is room for more. */
  onRoom(): void {
    if (this.#isClosed) return;
    const unsent = this.#unsent;
    if (unsent !== null) {
      for (let piece = unsent.shift(); piece !== undefined; piece = unsent.shift()) {
        const rest = this.#send(piece);
        if (rest === null) continue;
        unsent.putBack(rest);
        if (this.#sendWindow > 0) this.#host.waitForRoom(this);
        return;
      }
      this.#unsent = null;
      if (this.#hasEnded) {
        this.#sendEnd();
        return;
      }
    }
    if (this.#host.isCongested) this.#host.waitForRoom(this);
    else if (!this.#hasEnded) this.listener.onDrain();
  }

  /** Sends as much as the windows allow; the rest, or null. */
  #send(chunk: Buffer): Buffer | null {
    const host = this.#host;
    let at = 0;
    while (at < chunk.length) {
      const left = chunk.length - at;
      const bytes = Math.min(left, this.#sendWindow, host.sendWindow, host.maxSendFrameBytes);
      if (bytes <= 0) return at === 0 ? chunk : chunk.subarray(at);
      this.#sendWindow -= bytes;
      host.sendWindow -= bytes;
      host.sendData(this, bytes === chunk.length ? chunk : chunk.subarray(at, at + bytes), false);
      at += bytes;
    }
    return null;
  }

  #sendEnd(): void {
    this.#host.sendData(this, EMPTY, true);
    this.#sentEnd();
  }

  #sentEnd(): void {
    this.#hasSentEnd = true;
    if (!this.#hasReceivedEnd) return;
    this.#close();
    if (this.#hasDeliveredEnd) this.#tellClosed();
  }

  #deliver(chunk: Buffer): void {
    this.#returnCredit(chunk.length);
    this.listener.onData(chunk);
  }

  #deliverEnd(): void {
    if (this.#hasDeliveredEnd) return;
    this.#hasDeliveredEnd = true;
    this.listener.onEnd();
    if (this.#hasSentEnd) this.#tellClosed();
  }

  /** Both ends have passed; the listener may have caused the second one while it heard of the first. */
  #tellClosed(): void {
    if (this.#hasToldClosed) return;
    this.#hasToldClosed = true;
    this.listener.onClose(this.#closeError);
  }

  #returnCredit(bytes: number): void {
    this.#host.creditConnection(bytes);
    this.#credit += bytes;
    if (this.#credit < this.#creditStep || this.#hasReceivedEnd || this.#isClosed) return;
    const credit = this.#credit;
    this.#credit = 0;
    this.receiveWindow += credit;
    this.#host.sendStreamCredit(this, credit);
  }

  #close(): void {
    this.#isClosed = true;
    this.#host.forget(this);
  }

  #discard(): void {
    this.#unsent = null;
    const unread = this.#unread;
    this.#unread = null;
    if (unread !== null && unread.length > 0) this.#host.creditConnection(unread.length);
  }
}
