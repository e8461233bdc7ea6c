// hot path: every request of an HTTP/1.1 client
import type { Duplex } from 'node:stream';
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
import type { HttpProblem } from './problem.ts';

const CONTINUE = 'HTTP/1.1 100 Continue\r\n\r\n';

/** Takes the body of a request, and hears when the client goes away or has room again. */
export interface RequestListener {
  onData(chunk: Buffer): void;
  onEnd(): void;
  /** The client is gone; nothing more can be answered. */
  onAbort(): void;
  /** The client has taken what was written; more may follow. */
  onDrain(): void;
}

/** One request and its answer. */
export interface ServerExchange {
  readonly head: RequestHead;
  readonly framing: BodyFraming;
  /** Sends the head with the first piece of the body, or when the reading turn is over. */
  respond(
    head: { readonly status: number; readonly reason: string; readonly headers: HeaderList },
    framing: BodyFraming,
  ): void;
  /** False when the client should be given time: wait for `onDrain`. */
  write(chunk: Buffer): boolean;
  end(): void;
  /** Stops and restarts the arrival of the request's body. */
  pause(): void;
  resume(): void;
  /** Ends the connection at once, as a reset where the stream can. */
  abort(): void;
}

export interface ServerConnectionHandler {
  /** Called for each request, in order, one at a time. With `isUpgrade` everything after the head is raw data. */
  onRequest(exchange: ServerExchange): {
    readonly listener: RequestListener;
    readonly isUpgrade: boolean;
  };
  /** The client broke the protocol; it has been answered and the connection ends. */
  onProblem(problem: HttpProblem): void;
  onClose(): void;
}

/** Serves HTTP/1.1 on a byte stream: strict, one request after the other, keep-alive by default. */
export class ServerConnection {
  readonly #stream: Duplex;
  readonly #handler: ServerConnectionHandler;
  readonly #reader: MessageReader<RequestHead>;
  readonly #writer: MessageWriter;
  #exchange: Exchange | null = null;
  #isDraining = false;

  constructor(stream: Duplex, handler: ServerConnectionHandler) {
    this.#stream = stream;
    this.#handler = handler;
    this.#writer = new MessageWriter(stream);
    this.#reader = new MessageReader(parseRequestHead, {
      onHead: (head) => this.#onHead(head),
      onData: (chunk) => this.#exchange?.listener.onData(chunk),
      onEnd: () => this.#exchange?.requestEnded(),
      onProblem: (problem) => this.#refuse(problem),
    });
    stream.on('data', (chunk: Buffer) => {
      this.#reader.push(chunk);
      this.#exchange?.flush();
    });
    stream.on('drain', () => this.#exchange?.listener.onDrain());
    stream.on('end', () => {
      this.#reader.finish();
      if (this.#exchange === null) stream.end();
    });
    stream.on('error', () => stream.destroy());
    stream.on('close', () => {
      this.#exchange?.aborted();
      handler.onClose();
    });
  }

  /** Finishes the request under way and then closes; an idle connection closes now. */
  drain(): void {
    this.#isDraining = true;
    if (this.#exchange === null) this.#stream.end();
  }

  abort(): void {
    this.#stream.destroy();
  }

  #onHead(head: RequestHead): Parsed<BodyFraming | { readonly kind: 'raw' }> {
    const problem = checkHost(head);
    if (problem !== null) return { ok: false, error: problem };
    if (head.minorVersion === 0) {
      const message = 'HTTP/1.0 is not accepted';
      return { ok: false, error: { status: 426, details: 'low_version', message } };
    }
    const framing = requestFraming(head);
    if (!framing.ok) return framing;
    if (getHeader(head.headers, 'expect')?.toLowerCase() === '100-continue') {
      removeHeader(head.headers, 'expect');
      this.#stream.write(CONTINUE, 'latin1');
    }
    const exchange = new Exchange(head, framing.value, {
      stream: this.#stream,
      writer: this.#writer,
      isDraining: () => this.#isDraining,
      onComplete: (reusable) => this.#complete(reusable),
    });
    this.#exchange = exchange;
    const { listener, isUpgrade } = this.#handler.onRequest(exchange);
    exchange.listener = listener;
    return isUpgrade ? { ok: true, value: { kind: 'raw' } } : framing;
  }

  #complete(reusable: boolean): void {
    this.#exchange = null;
    if (reusable && !this.#isDraining) this.#reader.next();
    else this.#stream.end();
  }

  /** Answers a protocol error where that is still possible, and ends the connection. */
  #refuse(problem: HttpProblem): void {
    const exchange = this.#exchange;
    this.#exchange = null;
    exchange?.aborted();
    this.#handler.onProblem(problem);
    if (exchange?.hasResponded || this.#stream.destroyed) {
      this.#stream.destroy();
      return;
    }
    const { status } = problem;
    const body = status === 400 && problem.details.startsWith('http1.') ? 'Bad Request' : '';
    const headers = ['content-length', String(body.length), 'connection', 'close'];
    if (body !== '') headers.unshift('content-type', 'text/plain');
    this.#stream.end(`${responseHeadText({ status, reason: '', headers })}${body}`, 'latin1');
  }
}

interface ExchangeDeps {
  readonly stream: Duplex;
  readonly writer: MessageWriter;
  readonly isDraining: () => boolean;
  readonly onComplete: (reusable: boolean) => void;
}

const IGNORE: RequestListener = {
  onData: () => undefined,
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

  constructor(head: RequestHead, framing: BodyFraming, deps: ExchangeDeps) {
    this.head = head;
    this.framing = framing;
    this.#deps = deps;
    this.#keepAlive = keepsAlive(head);
  }

  respond(
    head: { readonly status: number; readonly reason: string; readonly headers: HeaderList },
    framing: BodyFraming,
  ): void {
    this.hasResponded = true;
    if (framing.kind === 'until-close') this.#keepAlive = false;
    // A client that is still sending what nobody reads must not send another request after it.
    if (!this.#requestEnded && framing.kind === 'none')
      this.#keepAlive = this.#keepAlive && head.status === 101;
    if (this.#deps.isDraining() || !this.#keepAlive) {
      if (head.status !== 101) head.headers.push('connection', 'close');
      this.#keepAlive = false;
    }
    this.#deps.writer.begin(responseHeadText(head), framing);
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
    if (this.hasResponded) this.#deps.writer.flush();
  }

  pause(): void {
    this.#deps.stream.pause();
  }

  resume(): void {
    this.#deps.stream.resume();
  }

  abort(): void {
    this.#responseEnded = true;
    const { stream } = this.#deps;
    if ('resetAndDestroy' in stream) (stream.resetAndDestroy as () => void).call(stream);
    else stream.destroy();
  }

  requestEnded(): void {
    this.#requestEnded = true;
    this.listener.onEnd();
    this.#finishIfDone();
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
    // The answer came before the request had ended: the connection cannot be used again.
    this.listener = IGNORE;
    this.#deps.onComplete(false);
  }
}
