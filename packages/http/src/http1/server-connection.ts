// hot path: every request of an HTTP/1.1 client
import type { Duplex } from 'node:stream';
import { DEFAULT_SERVER_TIMES, type ServerExchange, type ServerTimes } from '../exchange.ts';
import { getHeader, type HeaderList, removeHeader } from '../headers.ts';
import { connectionLost, type FailureKind, HttpError } from '../http-error.ts';
import { type HttpProblem, PROBLEM_WORDS, TOO_SLOW } from '../problem.ts';
import { Pace } from '../sockets/pace.ts';
import { readShared } from '../sockets/shared-reads.ts';
import { type SweepCell, type Swept, startSweeping, stopSweeping } from '../sockets/sweeper.ts';
import { checkConnection } from './connection-options.ts';
import { answerText, bodyLength, requestHead } from './heads.ts';
import { MessageReader, PIECES_AT_ONCE } from './message-reader.ts';
import { MessageWriter } from './message-writer.ts';
import {
  type BodyFraming,
  checkHost,
  type Parsed,
  parseRequestHead,
  type RawRequestHead,
  requestFraming,
} from './parse.ts';
import { Http1ServerExchange, type ServerExchangeDeps } from './server-exchange.ts';

const RAW = { ok: true, value: { kind: 'raw' } } as const;
/** As Envoy's `delayed_close_timeout`. */
const LINGER_MS = 1000;
const MAX_DROPPED_BYTES = 1024 * 1024;
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

export interface Http1ServerOptions {
  /** Called for each request, in order, one at a time. */
  readonly onRequest: (exchange: ServerExchange) => void;
  /** The client broke the protocol before its request was one; it has been answered and the connection ends. */
  readonly onProblem: (problem: HttpProblem, bytesSent: number) => void;
  /** What else such an answer says. */
  readonly problemHeaders?: () => HeaderList;
  /** `expect: 100-continue` is passed on for the upstream to answer; else it is answered here. */
  readonly proxiesContinue?: boolean;
  /** Default: `DEFAULT_SERVER_TIMES`. */
  readonly times?: ServerTimes;
  readonly onClose: () => void;
}

/**
 * Serves HTTP/1.1 on a byte stream: strict, one request after the other, keep-alive by default.
 *
 * ```
 * serving ── drain() ──► draining ── the next answer, which says so ──► ending ── nothing is left to answer ──► over
 * ```
 * The client's end leads from either of the first two to `ending`.
 */
export class Http1ServerConnection implements Swept {
  readonly #stream: Duplex;
  readonly #options: Http1ServerOptions;
  readonly #times: ServerTimes;
  readonly #reader: MessageReader<RawRequestHead>;
  readonly #forExchanges: ServerExchangeDeps;
  readonly #cell: SweepCell;
  readonly #pace = new Pace(PIECES_AT_ONCE, () => this.#goOn());
  #exchange: Http1ServerExchange | null = null;
  #phase: 'serving' | 'draining' | 'ending' | 'over' = 'serving';
  /** Nothing is read, until what was read is wanted. */
  #hasStopped = false;
  /** The client has not taken its answers: its next request is not read before it has. */
  #isBehind = false;
  /** Bytes that arrived since it is over. */
  #dropped = 0;
  #headSinceMs: number | null = null;
  #idleSinceMs: number | null = null;

  constructor(stream: Duplex, options: Http1ServerOptions) {
    this.#stream = stream;
    this.#options = options;
    this.#times = options.times ?? DEFAULT_SERVER_TIMES;
    this.#forExchanges = {
      stream,
      writer: new MessageWriter(stream),
      isDraining: () => this.#phase === 'draining',
      onGoOn: () => this.#goOn(),
      onComplete: (reusable) => this.#complete(reusable),
    };
    this.#reader = new MessageReader(parseRequestHead, {
      onHead: (head) => this.#onHead(head),
      onData: (chunk) => this.#exchange?.dataArrived(chunk),
      onEnd: (trailers) => this.#exchange?.requestArrived(trailers),
      onProblem: (problem) => this.#refuse(problem, 'violation'),
    });
    readShared(stream, (bytes) => this.#onData(bytes));
    stream.on('drain', () => this.#drained());
    stream.on('end', () => {
      const wasOver = this.#phase === 'over';
      if (!wasOver) this.#phase = 'ending';
      if (!wasOver) this.#reader.finish();
      this.#endIfDone();
    });
    stream.on('error', () => stream.destroy());
    stream.on('close', () => {
      stopSweeping(this.#cell);
      this.#exchange?.failed(connectionLost('the client is gone'));
      options.onClose();
    });
    this.#cell = startSweeping(this);
    stream.resume();
  }

  /**
   * The next answer says that it is the last one. Until then the connection stays: the client may have sent a request
   * already, or be about to, and a connection that ends without a word costs it that request.
   */
  drain(): void {
    if (this.#phase === 'serving') this.#phase = 'draining';
  }

  abort(): void {
    this.#stream.destroy();
  }

  /** Whether no request is being answered, and none has an answer that is still to leave. */
  get isIdle(): boolean {
    return this.#exchange === null && !this.#forExchanges.writer.isLeaving;
  }

  /** Ends it if no request is under way, else with the answer to that. */
  closeIfIdle(): void {
    this.drain();
    if (this.#exchange === null) this.#end();
  }

  sweep(nowMs: number): void {
    const { headMs, connectionIdleMs } = this.#times;
    const isReadingHead = this.#exchange === null && this.#reader.isIncomplete;
    const isIdle = this.#exchange === null;
    this.#headSinceMs = isReadingHead ? (this.#headSinceMs ?? nowMs) : null;
    this.#idleSinceMs = isIdle ? (this.#idleSinceMs ?? nowMs) : null;
    const exceeded = this.#exchange?.exceeded(this.#times, nowMs) ?? null;
    if (exceeded !== null) this.#refuse(TOO_SLOW[exceeded], 'silent');
    else if (isOver(headMs, this.#headSinceMs, nowMs)) this.#refuse(TOO_SLOW.headMs, 'silent');
    else if (isOver(connectionIdleMs, this.#idleSinceMs, nowMs)) this.#endIdle();
  }

  /** A client that does not end its side either, after its last answer, is cut. */
  #endIdle(): void {
    if (this.#phase === 'over') this.abort();
    else this.closeIfIdle();
  }

  #onData(bytes: Buffer): boolean {
    if (this.#phase === 'over') return this.#drop(bytes.length);
    this.#reader.push(bytes);
    const exchange = this.#exchange;
    exchange?.receiving.batch();
    // Requests that a client sends ahead, and what nobody reads, wait on the wire, not in memory.
    this.#hasStopped =
      this.#pace.isOver(this.#reader.pieces) ||
      this.#reader.isHoldingBack ||
      (exchange?.isStopped ?? false);
    return !this.#hasStopped;
  }

  #goOn(): void {
    if (!this.#hasStopped || this.#pace.isWaiting) return;
    if (this.#reader.isHoldingBack || this.#exchange?.isStopped) return;
    this.#hasStopped = false;
    this.#stream.resume();
  }

  #onHead(head: RawRequestHead): Parsed<BodyFraming | { readonly kind: 'raw' }> {
    const problem = checkHost(head) ?? checkConnection(head);
    if (problem !== null) return { ok: false, error: problem };
    if (head.minorVersion === 0) {
      const message = 'HTTP/1.0 is not accepted';
      return { ok: false, error: { status: 426, details: 'low_version', message } };
    }
    const framing = requestFraming(head);
    if (!framing.ok) return framing;
    if (!this.#options.proxiesContinue) this.#continueIfAsked(head);
    const exchange = new Http1ServerExchange(
      head,
      { head: requestHead(head), body: bodyLength(framing.value) },
      this.#forExchanges,
    );
    this.#exchange = exchange;
    this.#options.onRequest(exchange);
    return exchange.isUpgrade ? RAW : framing;
  }

  #continueIfAsked(head: RawRequestHead): void {
    if (getHeader(head.headers, 'expect')?.toLowerCase() === '100-continue') {
      removeHeader(head.headers, 'expect');
      this.#forExchanges.writer.whole(CONTINUE);
    }
  }

  #complete(reusable: boolean): void {
    this.#exchange = null;
    if (!reusable) this.#phase = 'ending';
    else if (this.#stream.writableNeedDrain) this.#isBehind = true;
    else this.#readNext();
    this.#endIfDone();
  }

  #drained(): void {
    this.#exchange?.drained();
    if (!this.#isBehind) return;
    this.#isBehind = false;
    if (this.#phase === 'over') return;
    this.#readNext();
    this.#endIfDone();
  }

  #endIfDone(): void {
    if (this.#phase === 'ending' && this.#exchange === null && !this.#isBehind) this.#end();
  }

  /** Nothing more is answered. The client's end is waited for: it may take its time to read the answer. */
  #end(): void {
    if (this.#phase === 'over') return;
    this.#phase = 'over';
    this.#forExchanges.writer.leave();
    this.#stream.end();
    this.#stream.resume();
  }

  /** A client that goes on sending has a while to read its answer before it is cut; what it sends is dropped. */
  #drop(bytes: number): boolean {
    if (this.#dropped === 0) {
      const timer = setTimeout(() => this.#stream.destroy(), LINGER_MS);
      this.#stream.once('close', () => clearTimeout(timer));
    }
    this.#dropped += bytes;
    return this.#dropped <= MAX_DROPPED_BYTES;
  }

  #readNext(): void {
    this.#reader.next();
    this.#goOn();
  }

  /** Answers a fault where that is still possible, and ends the connection. */
  #refuse(problem: HttpProblem, kind: FailureKind): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    const facts = { reason: 'PROTOCOL_ERROR', kind, scope: 'connection' } as const;
    if (exchange?.hasResponded || this.#stream.destroyed) {
      exchange?.failed(new HttpError(problem.message, facts));
      this.#forExchanges.writer.leave();
      this.#stream.destroy();
      return;
    }
    const { status } = problem;
    const words = PROBLEM_WORDS[status];
    const bytesSent = words.length;
    if (exchange === null) this.#options.onProblem(problem, bytesSent);
    else {
      const answered = { problem, bytesSent };
      exchange.failed(new HttpError(problem.message, { ...facts, answered }));
    }
    const headers = ['content-length', String(bytesSent), 'content-type', 'text/plain'];
    headers.push(...(this.#options.problemHeaders?.() ?? []), 'connection', 'close');
    this.#forExchanges.writer.whole(`${answerText({ status, headers })}${words}`);
    this.#end();
  }
}

function isOver(limitMs: number, sinceMs: number | null, nowMs: number): boolean {
  return limitMs > 0 && sinceMs !== null && nowMs - sinceMs > limitMs;
}
