// hot path: every request of an HTTP/1.1 client
import type { Duplex } from 'node:stream';
import { resetSocket } from '../sockets/reset.ts';
import { readShared } from '../sockets/shared-reads.ts';
import { checkConnection } from './connection-options.ts';
import { getHeader, type HeaderList, removeHeader } from './headers.ts';
import { MessageReader } from './message-reader.ts';
import { MessageWriter, responseHeadText } from './message-writer.ts';
import {
  type BodyFraming,
  checkHost,
  keepsAlive,
  type Parsed,
  parseRequestHead,
  type RequestHead,
  requestFraming,
} from './parse.ts';
import { type HttpProblem, PROBLEM_WORDS } from './problem.ts';

const UNTIL_CLOSE = { kind: 'until-close' } as const;
const RAW = { ok: true, value: { kind: 'raw' } } as const;
/** As Envoy's `delayed_close_timeout`. */
const LINGER_MS = 1000;
const MAX_DROPPED_BYTES = 1024 * 1024;
const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** Takes the body of a request, and hears when the client goes away or has room again. */
export interface RequestListener {
  /** Everything after the head is raw data. */
  readonly isUpgrade: boolean;
  /** The bytes may be reused once this returns. */
  onData(chunk: Buffer): void;
  /** What one read brought has been handed over, and the request goes on: a chance to pass on what was gathered. */
  onPause(): void;
  onEnd(): void;
  /** The client is gone; nothing more can be answered. */
  onAbort(): void;
  /** The client broke the protocol within its request; it has been answered, with a body of so many bytes. */
  onProblem?(problem: HttpProblem, bytesSent: number): void;
  /** The client has taken what was written; more may follow. */
  onDrain(): void;
}

/** One request and its answer. */
export interface ServerExchange {
  readonly head: RequestHead;
  readonly framing: BodyFraming;
  /** The head and small pieces of the body wait for `flush` or `end`. */
  respond(
    head: { readonly status: number; readonly reason: string; readonly headers: HeaderList },
    framing: BodyFraming,
  ): void;
  /** A head with 1xx, before the real one; leaves at once. */
  respondInterim(head: {
    readonly status: number;
    readonly reason: string;
    readonly headers: HeaderList;
  }): void;
  /** The answer to come is the last on this connection. */
  closeAfterwards(): void;
  /** False when the client should be given time: wait for `onDrain`. */
  write(chunk: Buffer): boolean;
  flush(): void;
  end(): void;
  /** Stops and restarts the arrival of the request's body. */
  pause(): void;
  resume(): void;
  /** Ends the connection at once, as a reset where the stream can. */
  abort(): void;
}

export interface ServerConnectionHandler {
  /** Called for each request, in order, one at a time. */
  onRequest(exchange: ServerExchange): RequestListener;
  /** The client broke the protocol before its request was one; it has been answered and the connection ends. */
  onProblem(problem: HttpProblem, bytesSent: number): void;
  /** What else such an answer says. */
  problemHeaders?(): HeaderList;
  /** `expect: 100-continue` is passed on for the upstream to answer; else it is answered here. */
  readonly proxiesContinue?: boolean;
  onClose(): void;
}

/** Serves HTTP/1.1 on a byte stream: strict, one request after the other, keep-alive by default. */
export class ServerConnection {
  readonly #stream: Duplex;
  readonly #handler: ServerConnectionHandler;
  readonly #reader: MessageReader<RequestHead>;
  readonly #forExchanges: ExchangeDeps;
  #exchange: Exchange | null = null;
  #isDraining = false;
  /** No request will follow the one under way, or those that have arrived. */
  #hasEnded = false;
  /** This side has ended. */
  #isOver = false;
  /** Bytes that arrived since. */
  #dropped = 0;

  constructor(stream: Duplex, handler: ServerConnectionHandler) {
    this.#stream = stream;
    this.#handler = handler;
    this.#forExchanges = {
      stream,
      writer: new MessageWriter(stream),
      isDraining: () => this.#isDraining,
      onComplete: (reusable) => this.#complete(reusable),
    };
    this.#reader = new MessageReader(parseRequestHead, {
      onHead: (head) => this.#onHead(head),
      onData: (chunk) => this.#exchange?.listener.onData(chunk),
      onEnd: () => this.#exchange?.requestEnded(),
      onProblem: (problem) => this.#refuse(problem),
    });
    readShared(stream, (bytes) => {
      if (this.#isOver) return this.#drop(bytes.length);
      this.#reader.push(bytes);
      this.#exchange?.listener.onPause();
      // Requests that a client sends ahead wait on the wire, not in memory.
      return !this.#reader.isHoldingBack;
    });
    stream.on('drain', () => this.#exchange?.listener.onDrain());
    stream.on('end', () => {
      this.#hasEnded = true;
      if (!this.#isOver) this.#reader.finish();
      if (this.#exchange === null) this.#end();
    });
    stream.on('error', () => stream.destroy());
    stream.on('close', () => {
      this.#exchange?.aborted();
      handler.onClose();
    });
    stream.resume();
  }

  /**
   * The next answer says that it is the last one. Until then the connection stays: the client may have sent a request
   * already, or be about to, and a connection that ends without a word costs it that request.
   */
  drain(): void {
    this.#isDraining = true;
  }

  abort(): void {
    this.#stream.destroy();
  }

  /** Whether no request is being answered. */
  get isIdle(): boolean {
    return this.#exchange === null;
  }

  /** Ends it if no request is under way, else with the answer to that. */
  closeIfIdle(): void {
    this.#isDraining = true;
    if (this.#exchange === null) this.#end();
  }

  #onHead(head: RequestHead): Parsed<BodyFraming | { readonly kind: 'raw' }> {
    const problem = checkHost(head) ?? checkConnection(head);
    if (problem !== null) return { ok: false, error: problem };
    if (head.minorVersion === 0) {
      const message = 'HTTP/1.0 is not accepted';
      return { ok: false, error: { status: 426, details: 'low_version', message } };
    }
    const framing = requestFraming(head);
    if (!framing.ok) return framing;
    if (!this.#handler.proxiesContinue) this.#continueIfAsked(head);
    const exchange = new Exchange(head, framing.value, this.#forExchanges);
    this.#exchange = exchange;
    exchange.listener = this.#handler.onRequest(exchange);
    return exchange.listener.isUpgrade ? RAW : framing;
  }

  #continueIfAsked(head: RequestHead): void {
    if (getHeader(head.headers, 'expect')?.toLowerCase() === '100-continue') {
      removeHeader(head.headers, 'expect');
      this.#stream.write(CONTINUE, 'latin1');
    }
  }

  #complete(reusable: boolean): void {
    this.#exchange = null;
    if (reusable) this.#readNext();
    else this.#hasEnded = true;
    if (this.#hasEnded && this.#exchange === null) this.#end();
  }

  /** Nothing more is answered. The client's end is waited for: it may take its time to read the answer. */
  #end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
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
    const wasHoldingBack = this.#reader.isHoldingBack;
    this.#reader.next();
    if (wasHoldingBack && !this.#reader.isHoldingBack) this.#stream.resume();
  }

  /** Answers a protocol error where that is still possible, and ends the connection. */
  #refuse(problem: HttpProblem): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    if (exchange?.hasResponded || this.#stream.destroyed) {
      exchange?.aborted();
      this.#stream.destroy();
      return;
    }
    const { status } = problem;
    const words = PROBLEM_WORDS[status];
    if (exchange === null) this.#handler.onProblem(problem, words.length);
    else exchange.broken(problem, words.length);
    const headers = ['content-length', String(words.length), 'content-type', 'text/plain'];
    headers.push(...(this.#handler.problemHeaders?.() ?? []), 'connection', 'close');
    this.#stream.write(`${responseHeadText({ status, reason: words, headers })}${words}`, 'latin1');
    this.#end();
  }
}

interface ExchangeDeps {
  readonly stream: Duplex;
  readonly writer: MessageWriter;
  readonly isDraining: () => boolean;
  readonly onComplete: (reusable: boolean) => void;
}

const IGNORE: RequestListener = {
  isUpgrade: false,
  onData: () => undefined,
  onPause: () => undefined,
  onEnd: () => undefined,
  onAbort: () => undefined,
  onDrain: () => undefined,
};

class Exchange implements ServerExchange {
  readonly head: RequestHead;
  readonly framing: BodyFraming;
  readonly #deps: ExchangeDeps;
  listener: RequestListener = IGNORE;
  hasResponded = false;
  #requestEnded = false;
  #responseEnded = false;
  #keepAlive: boolean;
  readonly #mayUpgrade: boolean;

  constructor(head: RequestHead, framing: BodyFraming, deps: ExchangeDeps) {
    this.head = head;
    this.framing = framing;
    this.#deps = deps;
    this.#keepAlive = keepsAlive(head);
    this.#mayUpgrade = getHeader(head.headers, 'upgrade') !== null;
  }

  respond(
    head: { readonly status: number; readonly reason: string; readonly headers: HeaderList },
    framing: BodyFraming,
  ): void {
    this.hasResponded = true;
    const isUpgraded = head.status === 101;
    // A client that is still sending must not send another request after it: nobody may read what comes first.
    if (
      isUpgraded ||
      this.#isSending ||
      framing.kind === 'until-close' ||
      this.#deps.isDraining()
    ) {
      this.#keepAlive = false;
    }
    if (!this.#keepAlive && !isUpgraded) head.headers.push('connection', 'close');
    this.#deps.writer.begin(responseHeadText(head), isUpgraded ? UNTIL_CLOSE : framing);
  }

  respondInterim(head: {
    readonly status: number;
    readonly reason: string;
    readonly headers: HeaderList;
  }): void {
    this.#deps.stream.write(responseHeadText(head), 'latin1');
  }

  closeAfterwards(): void {
    this.#keepAlive = false;
  }

  /** A request without a body has ended with its head, though its listener may not have heard so yet. */
  get #isSending(): boolean {
    return !this.#requestEnded && (this.framing.kind !== 'none' || this.#mayUpgrade);
  }

  write(chunk: Buffer): boolean {
    return this.#deps.writer.data(chunk);
  }

  end(): void {
    if (this.#responseEnded) return;
    this.#responseEnded = true;
    this.#deps.writer.end();
    this.#finishIfDone();
  }

  flush(): void {
    this.#deps.writer.flush();
  }

  pause(): void {
    this.#deps.stream.pause();
  }

  resume(): void {
    this.#deps.stream.resume();
  }

  abort(): void {
    this.#responseEnded = true;
    resetSocket(this.#deps.stream);
  }

  requestEnded(): void {
    this.#requestEnded = true;
    this.listener.onEnd();
    this.#finishIfDone();
  }

  broken(problem: HttpProblem, bytesSent: number): void {
    if (this.listener.onProblem === undefined) this.listener.onAbort();
    else this.listener.onProblem(problem, bytesSent);
    this.listener = IGNORE;
  }

  aborted(): void {
    if (!this.#responseEnded || !this.#requestEnded) this.listener.onAbort();
    this.listener = IGNORE;
  }

  #finishIfDone(): void {
    if (!this.#responseEnded) return;
    if (this.#requestEnded) {
      this.listener = IGNORE;
      this.#deps.onComplete(this.#keepAlive);
      return;
    }
    // Answered from its head alone: the end of the request, which follows at once, completes it.
    if (!this.#isSending) return;
    // The answer came before the request had ended: the connection cannot be used again.
    this.listener = IGNORE;
    this.#deps.onComplete(false);
  }
}
