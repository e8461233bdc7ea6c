// hot path: DATA of every stream
import type { AnswerListener, ServerTimes } from '../exchange.ts';
import { type BodyWire, ReceivingHalf, type ReceivingHost, SendingHalf } from '../half-stream.ts';
import type { HeaderList } from '../headers.ts';
import type { ErrorReason, HttpError } from '../http-error.ts';
import { type ConnectionWindow, StreamWindow } from './flow-control.ts';
import { MAX_WINDOW_BYTES } from './frames.ts';

/** What a stream needs of its connection. */
export interface StreamHost {
  /** Flow-control window of the connection, in bytes. */
  sendWindow: number;
  readonly maxSendFrameBytes: number;
  readonly isCongested: boolean;
  sendData(streamId: number, payload: Buffer, isEnd: boolean): void;
  sendHeaders(streamId: number, list: readonly string[], isEnd: boolean): void;
  sendReset(streamId: number, reason: ErrorReason): void;
  sendStreamCredit(streamId: number, bytes: number): void;
  /** Calls `onRoom` when the connection has window and the transport has drained. */
  waitForRoom(stream: Http2Stream): void;
  /** Both sides have ended, or one was reset: the stream no longer counts. */
  forget(stream: Http2Stream): void;
}

/** How much of the peer's message has arrived. */
type Arriving =
  | { readonly kind: 'awaiting-head'; readonly listener: AnswerListener; readonly method: string }
  /** `promisedBytes` of body are still to come; null if their number was not said. */
  | { readonly kind: 'body'; promisedBytes: number | null }
  | { readonly kind: 'ended' }
  | { readonly kind: 'cut' };

const BODY: Arriving = { kind: 'body', promisedBytes: null };
const ENDED: Arriving = { kind: 'ended' };
const CUT: Arriving = { kind: 'cut' };
const EMPTY = Buffer.alloc(0);

/**
 * One stream as its connection sees it: what arrives for it, and its windows. Who uses the stream has an exchange
 * instead (`exchange.ts`), which calls the methods of the last third.
 */
export class Http2Stream implements ReceivingHost, BodyWire {
  readonly id: number;
  readonly receiving: ReceivingHalf;
  readonly sending: SendingHalf;
  readonly window: StreamWindow;
  readonly #host: StreamHost;
  #sendWindow: number;
  #arriving: Arriving;
  /** A request that nobody can be given an answer to is not worth reading, unlike an answer, or what a tunnel carries. */
  #outlivesConnection: boolean;
  /** An answer, or whatever is carried both ways, may go on when the other direction has ended. */
  #outlivesAnswer: boolean;
  /** Something has moved since time was last looked at. */
  #hasMoved = true;
  /** Data has come, or left. */
  #hasCarried = false;
  #movedAtMs = 0;
  #startedAtMs = 0;

  /** `listener` and `method` of a request that this side sends; null for one that arrived. */
  constructor(
    host: StreamHost,
    id: number,
    windows: { readonly sendBytes: number; readonly connection: ConnectionWindow },
    request: { readonly listener: AnswerListener; readonly method: string } | null,
  ) {
    this.id = id;
    this.#host = host;
    this.#sendWindow = windows.sendBytes;
    this.window = new StreamWindow(windows.connection);
    this.receiving = new ReceivingHalf(this);
    this.sending = new SendingHalf(this);
    this.#outlivesConnection = request !== null;
    this.#outlivesAnswer = request !== null;
    this.#arriving =
      request === null
        ? BODY
        : { kind: 'awaiting-head', listener: request.listener, method: request.method };
  }

  /** Both sides have ended, or one has reset it. */
  get isOver(): boolean {
    const { kind } = this.#arriving;
    if (kind !== 'ended') return kind === 'cut';
    return this.sending.kind === 'ended' || this.sending.kind === 'cut';
  }

  /** It has served nobody yet: there is no whole answer, and nothing but heads has moved. */
  get isUnused(): boolean {
    const { kind } = this.sending;
    return kind === 'idle' || (kind !== 'ended' && !this.#hasCarried);
  }

  get arriving(): Arriving['kind'] {
    return this.#arriving.kind;
  }

  /** Who waits for the answer, and the method asked with; null if nobody waits any more. */
  get awaiting(): { readonly listener: AnswerListener; readonly method: string } | null {
    return this.#arriving.kind === 'awaiting-head' ? this.#arriving : null;
  }

  /** Which of a server's limits of time the stream has exceeded; null if none. Exact to the pause between two calls. */
  exceeded(times: ServerTimes, nowMs: number): 'exchangeIdleMs' | 'requestMs' | null {
    if (this.#startedAtMs === 0) this.#startedAtMs = nowMs;
    if (this.#hasMoved) {
      this.#hasMoved = false;
      this.#movedAtMs = nowMs;
    }
    const isArriving = this.#arriving.kind === 'body';
    if (times.requestMs > 0 && isArriving && nowMs - this.#startedAtMs > times.requestMs) {
      return 'requestMs';
    }
    const isIdle = times.exchangeIdleMs > 0 && nowMs - this.#movedAtMs > times.exchangeIdleMs;
    return isIdle ? 'exchangeIdleMs' : null;
  }

  // What arrives.

  /** The final head is here; so many bytes of body follow, as far as was said. */
  headArrived(promisedBytes: number | null): void {
    this.#arriving = promisedBytes === null ? BODY : { kind: 'body', promisedBytes };
  }

  /** The request is a CONNECT: what it carries has a value of its own. An upgrade still ends with its connection. */
  becomeTunnel(isUpgrade: boolean): void {
    this.#outlivesAnswer = true;
    this.#outlivesConnection = !isUpgrade;
  }

  /** False if the peer sends more than it promised. */
  dataArrived(piece: Buffer): boolean {
    this.#hasMoved = true;
    this.#hasCarried = true;
    const arriving = this.#arriving;
    if (arriving.kind !== 'body') return true;
    if (arriving.promisedBytes !== null) {
      arriving.promisedBytes -= piece.length;
      if (arriving.promisedBytes < 0) return false;
    }
    this.receiving.data(piece);
    return true;
  }

  /** False if the peer sent less than it promised. */
  endArrived(trailers: HeaderList | null): boolean {
    const arriving = this.#arriving;
    if (arriving.kind === 'body' && (arriving.promisedBytes ?? 0) > 0) return false;
    this.#arriving = ENDED;
    this.#forgetIfDone();
    this.receiving.end(trailers);
    if (this.sending.kind === 'ended') this.receiving.close(null);
    return true;
  }

  /** The peer reset the stream, or broke a rule on it. */
  failed(error: HttpError): void {
    if (this.isOver) return;
    const isAnswered = this.#arriving.kind === 'ended' && error.reason === 'NO_ERROR';
    const { awaiting } = this;
    this.#over();
    if (awaiting !== null) awaiting.listener.onFailure(error);
    // A complete answer, and no interest in the rest of the request: the answer is still to be read.
    else if (isAnswered) this.receiving.close(error);
    else this.receiving.cut(error);
  }

  /** This end will not wait any longer: it answers if it has not yet, and else resets. */
  giveUp(answer: readonly string[], error: HttpError): void {
    if (this.isOver) return;
    const isUnanswered = this.sending.kind === 'idle';
    if (isUnanswered) this.#host.sendHeaders(this.id, answer, true);
    const isDone = isUnanswered && this.#arriving.kind === 'ended';
    if (!isDone) this.#host.sendReset(this.id, isUnanswered ? 'NO_ERROR' : 'CANCEL');
    this.failed(error);
  }

  /** The connection is gone. What has arrived of an answer, or for a tunnel, is still to be read. */
  lost(error: HttpError): void {
    if (this.isOver) return;
    const { awaiting } = this;
    const isWanted = this.#outlivesConnection && error.kind !== 'aborted';
    const isKept = isWanted && this.sending.kind !== 'idle';
    this.#over();
    if (awaiting !== null) awaiting.listener.onFailure(error);
    else if (isKept) this.receiving.close(error);
    else this.receiving.cut(error);
  }

  /** WINDOW_UPDATE or new SETTINGS. False if the window grew too large. */
  widen(bytes: number): boolean {
    this.#sendWindow += bytes;
    if (this.#sendWindow > MAX_WINDOW_BYTES) return false;
    if (bytes > 0) this.onRoom();
    return true;
  }

  /** The connection has room. */
  onRoom(): void {
    if (this.isOver) return;
    if (this.sending.onRoom()) {
      const { awaiting } = this;
      if (awaiting === null) this.receiving.drain();
      else awaiting.listener.onDrain?.();
    } else this.#afterSending();
  }

  // For its two halves.

  taken(bytes: number): void {
    if (this.#arriving.kind !== 'body') return;
    const credit = this.window.taken(bytes, this.receiving.heldBytes);
    if (credit > 0) this.#host.sendStreamCredit(this.id, credit);
  }

  ending(): void {
    // The stream has counted its end when it arrived.
  }

  ended(): void {
    // As above.
  }

  get hasRoom(): boolean {
    return !this.#host.isCongested;
  }

  waitForRoom(isBlocked: boolean): void {
    // One whose own window is shut waits for its own WINDOW_UPDATE.
    if (!isBlocked || this.#sendWindow > 0) this.#host.waitForRoom(this);
  }

  send(chunk: Buffer): Buffer | null {
    const host = this.#host;
    this.#hasMoved = true;
    this.#hasCarried = true;
    let at = 0;
    while (at < chunk.length) {
      const left = chunk.length - at;
      const bytes = Math.min(left, this.#sendWindow, host.sendWindow, host.maxSendFrameBytes);
      if (bytes <= 0) return at === 0 ? chunk : chunk.subarray(at);
      this.#sendWindow -= bytes;
      host.sendWindow -= bytes;
      const isWhole = bytes === chunk.length;
      host.sendData(this.id, isWhole ? chunk : chunk.subarray(at, at + bytes), false);
      at += bytes;
    }
    return null;
  }

  sendEnd(trailers: HeaderList | null): void {
    if (trailers === null) this.#host.sendData(this.id, EMPTY, true);
    else this.#host.sendHeaders(this.id, trailers, true);
  }

  // For the exchange.

  /** The request, or the final answer. */
  sendHead(list: readonly string[], isEnd: boolean): void {
    if (this.isOver || this.sending.kind !== 'idle') return;
    this.#host.sendHeaders(this.id, list, isEnd);
    this.sending.headSent(isEnd);
    this.#afterSending();
  }

  sendInterim(list: readonly string[]): void {
    if (!this.isOver && this.sending.kind === 'idle') {
      this.#host.sendHeaders(this.id, list, false);
    }
  }

  end(trailers: HeaderList | null): void {
    if (this.isOver) return;
    this.sending.end(trailers);
    this.#afterSending();
  }

  reset(reason: ErrorReason): void {
    if (!this.isOver) {
      this.#host.sendReset(this.id, reason);
      this.#over();
    }
    this.receiving.drop();
  }

  #afterSending(): void {
    if (this.sending.kind !== 'ended') return;
    if (this.#isAnsweredEarly) {
      this.#host.sendReset(this.id, 'NO_ERROR');
      this.#over();
      this.receiving.finish();
      return;
    }
    this.#forgetIfDone();
    if (this.isOver) this.receiving.close(null);
  }

  /** All of the answer has left, and the client is still sending what nobody will read (RFC 9113 section 8.1). */
  get #isAnsweredEarly(): boolean {
    const arriving = this.#arriving;
    return !this.#outlivesAnswer && arriving.kind === 'body' && arriving.promisedBytes !== 0;
  }

  /** Once: one of the two halves has just ended. */
  #forgetIfDone(): void {
    if (!this.isOver) return;
    this.window.close();
    this.#host.forget(this);
  }

  #over(): void {
    this.sending.cut();
    if (this.#arriving.kind !== 'ended') this.#arriving = CUT;
    this.window.close();
    this.#host.forget(this);
  }
}
