// hot path: every request of an HTTP/1.1 client
import type { Duplex } from 'node:stream';
import type {
  AnswerHead,
  BodyLength,
  BodyListener,
  RequestHead,
  ServerExchange,
  ServerTimes,
} from '../exchange.ts';
import { type BodyWire, ReceivingHalf, type ReceivingHost, SendingHalf } from '../half-stream.ts';
import { getHeader, type HeaderList } from '../headers.ts';
import type { HttpError } from '../http-error.ts';
import { resetSocket } from '../sockets/reset.ts';
import { answerText, frameAnswer } from './heads.ts';
import type { MessageWriter } from './message-writer.ts';
import { keepsAlive, type RawRequestHead } from './parse.ts';

/** What an exchange needs of its connection. */
export interface ServerExchangeDeps {
  readonly stream: Duplex;
  readonly writer: MessageWriter;
  readonly isDraining: () => boolean;
  /** What arrives is wanted again. */
  readonly onGoOn: () => void;
  /** The answer was given; `reusable` if another request may follow. */
  readonly onComplete: (reusable: boolean) => void;
}

/** One request on a connection of HTTP/1.1, and its answer. */
export class Http1ServerExchange implements ServerExchange, ReceivingHost, BodyWire {
  readonly head: RequestHead;
  readonly body: BodyLength;
  readonly receiving: ReceivingHalf = new ReceivingHalf(this);
  readonly sending: SendingHalf = new SendingHalf(this);
  readonly #deps: ServerExchangeDeps;
  #isUpgrade = false;
  #keepAlive: boolean;
  /** Arrived: all of it has come from the wire. Over: it is answered, given up, or lost. */
  #request: 'arriving' | 'arrived' | 'over' = 'arriving';
  /** Something has moved since time was last looked at. */
  #hasMoved = true;
  #movedAtMs = 0;
  #startedAtMs = 0;

  constructor(
    raw: RawRequestHead,
    request: { readonly head: RequestHead; readonly body: BodyLength },
    deps: ServerExchangeDeps,
  ) {
    this.head = request.head;
    this.body = request.body;
    this.#deps = deps;
    this.#keepAlive = keepsAlive(raw);
  }

  // For the connection.

  get isUpgrade(): boolean {
    return this.#isUpgrade;
  }

  get hasResponded(): boolean {
    return this.sending.kind !== 'idle';
  }

  /** More than what was read is not wanted now. */
  get isStopped(): boolean {
    return this.#request === 'arriving' && this.receiving.isStuck;
  }

  dataArrived(chunk: Buffer): void {
    this.#hasMoved = true;
    this.receiving.data(chunk);
  }

  requestArrived(trailers: HeaderList): void {
    if (this.#request === 'arriving') this.#request = 'arrived';
    this.receiving.end(trailers.length === 0 ? null : trailers);
    this.#finishIfDone();
  }

  drained(): void {
    this.#hasMoved = true;
    if (this.sending.onRoom()) this.receiving.drain();
  }

  /** The client is gone, or broke the protocol, or is too slow. */
  failed(error: HttpError): void {
    if (this.isOver) return;
    this.#request = 'over';
    this.sending.cut();
    this.receiving.cut(error);
  }

  /** Which limit of time is exceeded; null if none. */
  exceeded(times: ServerTimes, nowMs: number): 'exchangeIdleMs' | 'requestMs' | null {
    if (this.#startedAtMs === 0) this.#startedAtMs = nowMs;
    if (this.#hasMoved) {
      this.#hasMoved = false;
      this.#movedAtMs = nowMs;
    }
    const { requestMs, exchangeIdleMs } = times;
    const isLate =
      requestMs > 0 && this.#request === 'arriving' && nowMs - this.#startedAtMs > requestMs;
    if (isLate && !this.#isUpgrade) return 'requestMs';
    const isIdle = exchangeIdleMs > 0 && nowMs - this.#movedAtMs > exchangeIdleMs;
    return isIdle ? 'exchangeIdleMs' : null;
  }

  // For its two halves.

  taken(_bytes: number): void {
    // The wire's own flow control is enough.
  }

  ending(): void {
    // The connection counts the end when it arrives.
  }

  ended(): void {
    // As above.
  }

  send(chunk: Buffer): null {
    this.#hasMoved = true;
    this.#deps.writer.data(chunk);
    return null;
  }

  sendEnd(trailers: HeaderList | null): void {
    this.#deps.writer.end(trailers);
  }

  get hasRoom(): boolean {
    return !this.#deps.stream.writableNeedDrain;
  }

  waitForRoom(_isBlocked: boolean): void {
    // The stream says `drain`.
  }

  // For the user.

  get isOver(): boolean {
    return this.#request === 'over';
  }

  receive(listener: BodyListener): void {
    this.receiving.claim(listener);
    this.#deps.onGoOn();
  }

  whenReset(listener: (error: HttpError) => void): void {
    this.receiving.whenReset(listener);
  }

  takeUpgrade(): void {
    this.#isUpgrade = true;
  }

  respondInterim(head: AnswerHead): void {
    if (!this.hasResponded && !this.isOver) {
      this.#deps.writer.whole(answerText(head));
    }
  }

  respond(head: AnswerHead, body: BodyLength): void {
    if (this.hasResponded || this.isOver) return;
    const isUpgraded = head.status === 101;
    // A client that is still sending must not send another request after it: nobody may read what comes first.
    if (isUpgraded || this.#isSending || this.#deps.isDraining()) this.#keepAlive = false;
    const framing = frameAnswer(head, body, this.head.method);
    if (!this.#keepAlive && !isUpgraded) head.headers.push('connection', 'close');
    this.#deps.writer.begin(answerText(head), framing);
    this.sending.headSent(false);
  }

  closeAfterwards(): void {
    this.#keepAlive = false;
  }

  pause(): void {
    this.receiving.pause();
  }

  resume(): void {
    this.receiving.resume();
    this.#deps.onGoOn();
  }

  write(chunk: Buffer): boolean {
    return this.sending.write(chunk);
  }

  flush(): void {
    if (!this.isOver) this.#deps.writer.flush();
  }

  end(trailers: HeaderList | null = null): void {
    if (this.sending.kind !== 'open') return;
    this.sending.end(trailers);
    this.#finishIfDone();
  }

  /** Ends the connection at once, as a reset where the stream can. */
  reset(): void {
    this.receiving.drop();
    if (this.isOver) return;
    this.#request = 'over';
    this.sending.cut();
    this.#deps.writer.leave();
    resetSocket(this.#deps.stream);
  }

  /** A request without a body has ended with its head, though the connection may not have said so yet. */
  get #isSending(): boolean {
    if (this.#request !== 'arriving') return false;
    return this.body !== 0 || getHeader(this.head.headers, 'upgrade') !== null;
  }

  #finishIfDone(): void {
    if (this.sending.kind !== 'ended' || this.isOver) return;
    if (this.#request === 'arriving') {
      // Answered from its head alone: the end of the request, which follows at once, completes it.
      if (!this.#isSending) return;
      // The answer came before the request had ended: the connection cannot be used again.
      this.#request = 'over';
      this.receiving.finish();
      this.#deps.onComplete(false);
      return;
    }
    this.#request = 'over';
    this.receiving.close(null);
    this.#deps.onComplete(this.#keepAlive);
  }
}
