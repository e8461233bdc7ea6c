// hot path: every request to an HTTP/1.1 upstream
import type { Duplex } from 'node:stream';
import type {
  AnswerListener,
  BodyLength,
  BodyListener,
  ClientConnection,
  Exchange,
  RequestHead,
  RequestOptions,
} from '../exchange.ts';
import { type BodyWire, ReceivingHalf, type ReceivingHost, SendingHalf } from '../half-stream.ts';
import type { HeaderList } from '../headers.ts';
import { connectionLost, HttpError, notUsable } from '../http-error.ts';
import { badRequest, type HttpProblem } from '../problem.ts';
import { Pace } from '../sockets/pace.ts';
import { readShared } from '../sockets/shared-reads.ts';
import { bodyLength, frameRequest, requestText } from './heads.ts';
import { MessageReader, PIECES_AT_ONCE } from './message-reader.ts';
import { MessageWriter } from './message-writer.ts';
import {
  type BodyFraming,
  keepsAlive,
  type Parsed,
  parseResponseHead,
  type RawResponseHead,
  responseFraming,
} from './parse.ts';

const UNASKED_UPGRADE = {
  ok: false,
  error: badRequest('101 to a request that asked for no upgrade'),
} as const;
const TOO_MANY_INTERIMS = { ok: false, error: badRequest('too many interim answers') } as const;
const RAW = { ok: true, value: { kind: 'raw' } } as const;
const NO_BODY = { ok: true, value: { kind: 'none' } } as const;
/** More than anybody has a use for. */
const MAX_INTERIMS = 100;

/**
 * Speaks HTTP/1.1 to an upstream over a byte stream, one request at a time. Always: it can be used again only after
 * the request was sent and the answer was read to its end.
 */
export class Http1ClientConnection implements ClientConnection {
  readonly #stream: Duplex;
  readonly #reader: MessageReader<RawResponseHead>;
  readonly #writer: MessageWriter;
  readonly #forExchanges: ClientExchangeDeps;
  readonly #pace = new Pace(PIECES_AT_ONCE, () => this.#goOn());
  #exchange: ClientExchange | null = null;
  #keepAlive = true;
  #completed = 0;
  #isClosed = false;
  /** Nothing is read, until what was read is wanted. */
  #hasStopped = false;

  constructor(stream: Duplex) {
    this.#stream = stream;
    this.#writer = new MessageWriter(stream);
    this.#forExchanges = {
      stream,
      writer: this.#writer,
      onAnswered: () => this.#onAnswered(),
      onGoOn: () => this.#goOn(),
      onReset: () => this.abort(),
    };
    this.#reader = new MessageReader(parseResponseHead, {
      onHead: (head) => this.#onHead(head),
      onData: (chunk) => this.#exchange?.receiving.data(chunk),
      onEnd: (trailers) => this.#onEnd(trailers),
      onProblem: (problem) => this.#onProblem(problem),
    });
    readShared(stream, (bytes) => this.#onData(bytes));
    stream.on('drain', () => this.#exchange?.drained());
    stream.on('end', () => {
      this.#isClosed = true;
      this.#reader.finish();
      this.#fail(connectionLost('connection ended'));
      this.#writer.leave();
      stream.end();
    });
    stream.on('error', ({ message }) => {
      this.#isClosed = true;
      this.#fail(new HttpError(message, { reason: 'CANCEL', kind: 'reset', scope: 'connection' }));
    });
    stream.on('close', () => {
      this.#isClosed = true;
      this.#fail(connectionLost('connection closed'));
    });
    stream.resume();
  }

  /** Whether another request may be sent. */
  get isUsable(): boolean {
    const isIdle = this.#exchange === null;
    return isIdle && !this.#isClosed && !this.#stream.destroyed && this.#keepAlive;
  }

  /** Requests answered before. A failure of the first one is not a stale connection's. */
  get completed(): number {
    return this.#completed;
  }

  /** Throws an unprocessed `HttpError` unless `isUsable`. */
  request(head: RequestHead, body: BodyLength, { listener, isUpgrade }: RequestOptions): Exchange {
    if (!this.isUsable) throw notUsable();
    const exchange = new ClientExchange(listener, head.method, isUpgrade, this.#forExchanges);
    this.#exchange = exchange;
    const framing = frameRequest(head, body, isUpgrade);
    this.#writer.begin(requestText(head), framing);
    // What is asked to become another protocol ends with that, and not with its head.
    exchange.sending.headSent(framing.kind === 'none');
    if (framing.kind === 'none' || isUpgrade) this.#writer.flush();
    return exchange;
  }

  /** Ends it when its answer has been read. */
  close(): void {
    this.#keepAlive = false;
    if (this.#exchange === null) this.abort();
  }

  abort(): void {
    this.#isClosed = true;
    this.#stream.destroy();
  }

  #onData(chunk: Buffer): boolean {
    if (this.#exchange === null) {
      // An answer that nobody asked for: the connection cannot be trusted.
      this.abort();
      return true;
    }
    this.#reader.push(chunk);
    const exchange = this.#exchange;
    if (exchange === null) return true;
    exchange.receiving.batch();
    // What was read already is held; the rest waits on the wire.
    this.#hasStopped = this.#pace.isOver(this.#reader.pieces) || exchange.isStopped;
    return !this.#hasStopped;
  }

  #goOn(): void {
    if (!this.#hasStopped || this.#pace.isWaiting || this.#exchange?.isStopped) return;
    this.#hasStopped = false;
    this.#stream.resume();
  }

  #onHead(head: RawResponseHead): Parsed<BodyFraming | { readonly kind: 'raw' }> {
    const exchange = this.#exchange!;
    const { status, headers } = head;
    if (status === 101) {
      if (!exchange.isUpgrade) return UNASKED_UPGRADE;
      this.#keepAlive = false;
      exchange.headArrived(head, null);
      return RAW;
    }
    if (status < 200)
      return exchange.interimArrived({ status, headers }) ? NO_BODY : TOO_MANY_INTERIMS;
    const framing = responseFraming(head, exchange.method);
    if (!framing.ok) return framing;
    this.#keepAlive &&= keepsAlive(head) && framing.value.kind !== 'until-close';
    exchange.headArrived(head, bodyLength(framing.value));
    return framing;
  }

  /** An interim answer ends here too; the real one follows. */
  #onEnd(trailers: HeaderList): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    if (exchange.isAwaiting) this.#reader.next();
    else exchange.answerArrived(trailers);
  }

  /** The answer has been read to its end. */
  #onAnswered(): void {
    const exchange = this.#exchange!;
    this.#exchange = null;
    this.#completed += 1;
    // An answer before the end of the request leaves bytes under way that nobody will read, and bytes behind an answer
    // would be taken for the next one.
    const isTainted = exchange.sending.kind !== 'ended' || this.#reader.isHoldingBack;
    if (isTainted || !this.#keepAlive) this.abort();
    else {
      this.#reader.next();
      // Otherwise nobody would hear that the upstream closes.
      this.#goOn();
    }
  }

  #onProblem({ message }: HttpProblem): void {
    const error = this.#isClosed
      ? connectionLost(message)
      : new HttpError(message, {
          reason: 'PROTOCOL_ERROR',
          kind: 'violation',
          scope: 'connection',
        });
    this.#fail(error);
    this.abort();
  }

  #fail(error: HttpError): void {
    const exchange = this.#exchange;
    // One whose answer has arrived is still to be read to its end.
    if (exchange === null || exchange.fail(error)) return;
    this.#exchange = null;
  }
}

interface ClientExchangeDeps {
  readonly stream: Duplex;
  readonly writer: MessageWriter;
  readonly onAnswered: () => void;
  /** What arrives is wanted again. */
  readonly onGoOn: () => void;
  readonly onReset: () => void;
}

type Answer =
  | { readonly kind: 'awaited'; readonly listener: AnswerListener; interims: number }
  | { readonly kind: 'arriving' }
  /** From the wire; it may not have been read yet. */
  | { readonly kind: 'arrived' }
  | { readonly kind: 'over' };

const ARRIVING: Answer = { kind: 'arriving' };
const ARRIVED: Answer = { kind: 'arrived' };
const OVER: Answer = { kind: 'over' };

/** A request that was sent, and its answer. */
class ClientExchange implements Exchange, ReceivingHost, BodyWire {
  readonly method: string;
  readonly isUpgrade: boolean;
  readonly receiving: ReceivingHalf = new ReceivingHalf(this);
  readonly sending: SendingHalf = new SendingHalf(this);
  readonly #deps: ClientExchangeDeps;
  #answer: Answer;

  constructor(
    listener: AnswerListener,
    method: string,
    isUpgrade: boolean,
    deps: ClientExchangeDeps,
  ) {
    this.method = method;
    this.isUpgrade = isUpgrade;
    this.#deps = deps;
    this.#answer = { kind: 'awaited', listener, interims: 0 };
  }

  get isOver(): boolean {
    return this.#answer.kind === 'over';
  }

  /** The head of the final answer has not come. */
  get isAwaiting(): boolean {
    return this.#answer.kind === 'awaited';
  }

  /** More than what was read is not wanted now. */
  get isStopped(): boolean {
    return this.#answer.kind === 'arriving' && this.receiving.isStuck;
  }

  interimArrived(head: { readonly status: number; readonly headers: HeaderList }): boolean {
    if (this.#answer.kind !== 'awaited') return true;
    this.#answer.interims += 1;
    this.#answer.listener.onInterim?.(head);
    return this.#answer.interims <= MAX_INTERIMS;
  }

  headArrived({ status, headers }: RawResponseHead, body: BodyLength): void {
    if (this.#answer.kind !== 'awaited') return;
    const { listener } = this.#answer;
    this.#answer = ARRIVING;
    listener.onHead({ status, headers }, body);
  }

  answerArrived(trailers: HeaderList): void {
    this.#answer = ARRIVED;
    this.receiving.end(trailers.length === 0 ? null : trailers);
  }

  drained(): void {
    if (!this.sending.onRoom()) return;
    if (this.#answer.kind === 'awaited') this.#answer.listener.onDrain?.();
    else this.receiving.drain();
  }

  /** True if the answer has arrived all the same, and waits to be read. */
  fail(error: HttpError): boolean {
    const answer = this.#answer;
    if (answer.kind === 'arrived') return true;
    this.sending.cut();
    this.#answer = OVER;
    if (answer.kind === 'awaited') answer.listener.onFailure(error);
    else if (error.kind === 'violation') this.receiving.cut(error);
    else this.receiving.close(error);
    return false;
  }

  taken(_bytes: number): void {
    // The wire's own flow control is enough.
  }

  ending(): void {
    this.#answer = OVER;
    this.#deps.onAnswered();
  }

  ended(): void {
    const isSent = this.sending.kind === 'ended';
    this.sending.cut();
    const facts = { reason: 'NO_ERROR', kind: 'reset', scope: 'connection' } as const;
    this.receiving.close(isSent ? null : new HttpError('answered before the request ended', facts));
  }

  send(chunk: Buffer): null {
    this.#deps.writer.data(chunk);
    return null;
  }

  sendEnd(trailers: HeaderList | null): void {
    this.#deps.writer.end(trailers);
    if (!this.isUpgrade) return;
    this.#deps.writer.leave();
    this.#deps.stream.end();
  }

  get hasRoom(): boolean {
    return !this.#deps.stream.writableNeedDrain;
  }

  waitForRoom(_isBlocked: boolean): void {
    // The stream says `drain`.
  }

  receive(listener: BodyListener): void {
    this.receiving.claim(listener);
    this.#deps.onGoOn();
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
    this.sending.end(trailers);
  }

  reset(): void {
    this.receiving.drop();
    if (this.isOver) return;
    this.#answer = OVER;
    this.sending.cut();
    this.#deps.onReset();
  }
}
