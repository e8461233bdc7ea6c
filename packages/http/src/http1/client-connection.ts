// hot path: every request to an HTTP/1.1 upstream
import type { Duplex } from 'node:stream';
import { readShared } from '../sockets/shared-reads.ts';
import { MessageReader } from './message-reader.ts';
import { MessageWriter, requestHeadText } from './message-writer.ts';
import {
  type BodyFraming,
  keepsAlive,
  type Parsed,
  parseResponseHead,
  type RequestHead,
  type ResponseHead,
  responseFraming,
} from './parse.ts';
import { badRequest, type HttpProblem } from './problem.ts';

const UNASKED_UPGRADE = {
  ok: false,
  error: badRequest('101 to a request that asked for no upgrade'),
} as const;

const UNTIL_CLOSE = { kind: 'until-close' } as const;

/** Why an answer did not arrive, or not whole. */
export interface ClientFailure {
  readonly kind: 'connection-termination' | 'remote-reset' | 'protocol-error';
  readonly message: string;
}

/** Takes the answer to a request. After `onEnd` or `onFailure` nothing more arrives. */
export interface ResponseListener {
  onHead(head: ResponseHead, framing: BodyFraming): void;
  /** A head with 1xx, before the real one. */
  onInterim?(head: ResponseHead): void;
  /** The bytes may be reused once this returns. */
  onData(chunk: Buffer): void;
  /** What one read brought has been handed over, and the answer goes on: a chance to pass on what was gathered. */
  onPause(): void;
  onEnd(): void;
  onFailure(failure: ClientFailure): void;
  /** The upstream has taken what was written; more may follow. */
  onDrain(): void;
}

/** A request that was sent and whose answer is awaited. Not to be used any more once the answer ended or failed. */
export interface ClientExchange {
  /** False when the upstream should be given time: wait for `onDrain`. */
  write(chunk: Buffer): boolean;
  /** Sends what was gathered: the head and small pieces of the body wait for this or for `end`. */
  flush(): void;
  end(): void;
  /** Stops and restarts the arrival of the answer. */
  pause(): void;
  resume(): void;
  /** Gives up: the connection is closed and nothing more arrives. */
  abort(): void;
}

/**
 * Speaks HTTP/1.1 to an upstream over a byte stream, one request at a time. Always: it can be used again only after
 * the request was sent and the answer was read to its end.
 */
export class ClientConnection implements ClientExchange {
  readonly #stream: Duplex;
  readonly #reader: MessageReader<ResponseHead>;
  readonly #writer: MessageWriter;
  #listener: ResponseListener | null = null;
  #method = '';
  #isUpgrade = false;
  #requestEnded = true;
  #keepAlive = true;
  #completed = 0;
  #isClosed = false;
  #hasHead = false;

  constructor(stream: Duplex) {
    this.#stream = stream;
    this.#writer = new MessageWriter(stream);
    this.#reader = new MessageReader(parseResponseHead, {
      onHead: (head) => this.#onHead(head),
      onData: (chunk) => this.#listener?.onData(chunk),
      onEnd: () => this.#onEnd(),
      onProblem: (problem) => this.#onProblem(problem),
    });
    readShared(stream, (bytes) => {
      this.#onData(bytes);
      return true;
    });
    stream.on('drain', () => this.#listener?.onDrain());
    stream.on('end', () => {
      this.#isClosed = true;
      this.#reader.finish();
      this.#fail({ kind: 'connection-termination', message: 'connection ended' });
      stream.end();
    });
    stream.on('error', (error) => {
      this.#isClosed = true;
      this.#fail({ kind: 'remote-reset', message: error.message });
    });
    stream.on('close', () => {
      this.#isClosed = true;
      this.#fail({ kind: 'connection-termination', message: 'connection closed' });
    });
    stream.resume();
  }

  /** Whether another request may be sent. */
  get isUsable(): boolean {
    const isIdle = this.#listener === null && this.#requestEnded;
    return !this.#isClosed && !this.#stream.destroyed && this.#keepAlive && isIdle;
  }

  /** Requests answered before. A failure of the first one is not a stale connection's. */
  get completed(): number {
    return this.#completed;
  }

  onClose(listener: () => void): void {
    this.#stream.once('close', listener);
  }

  /** Only while `isUsable`. */
  request(
    head: Pick<RequestHead, 'method' | 'target' | 'headers'>,
    framing: BodyFraming,
    options: { readonly listener: ResponseListener; readonly isUpgrade: boolean },
  ): ClientExchange {
    this.#listener = options.listener;
    this.#method = head.method;
    this.#isUpgrade = options.isUpgrade;
    this.#requestEnded = false;
    this.#writer.begin(requestHeadText(head), options.isUpgrade ? UNTIL_CLOSE : framing);
    if (options.isUpgrade) this.#writer.flush();
    return this;
  }

  write(chunk: Buffer): boolean {
    return this.#writer.data(chunk);
  }

  flush(): void {
    this.#writer.flush();
  }

  end(): void {
    this.#requestEnded = true;
    this.#writer.end();
    if (this.#isUpgrade) this.#stream.end();
  }

  pause(): void {
    this.#stream.pause();
  }

  resume(): void {
    this.#stream.resume();
  }

  abort(): void {
    this.#listener = null;
    this.close();
  }

  close(): void {
    this.#isClosed = true;
    this.#stream.destroy();
  }

  #onData(chunk: Buffer): void {
    if (this.#listener === null) {
      // An answer that nobody asked for: the connection cannot be trusted.
      this.close();
      return;
    }
    this.#reader.push(chunk);
    this.#listener?.onPause();
  }

  #onHead(head: ResponseHead): Parsed<BodyFraming | { readonly kind: 'raw' }> {
    if (head.status === 101 && this.#isUpgrade) {
      this.#keepAlive = false;
      this.#listener?.onHead(head, UNTIL_CLOSE);
      return { ok: true, value: { kind: 'raw' } };
    }
    if (head.status === 101) return UNASKED_UPGRADE;
    if (head.status < 200) {
      this.#listener?.onInterim?.(head);
      return { ok: true, value: { kind: 'none' } };
    }
    this.#isUpgrade = false;
    const framing = responseFraming(head, this.#method);
    if (!framing.ok) return framing;
    this.#keepAlive = keepsAlive(head) && framing.value.kind !== 'until-close';
    this.#listener?.onHead(head, framing.value);
    this.#hasHead = true;
    return framing;
  }

  /** An interim response ends here too; the real one follows. */
  #onEnd(): void {
    if (!this.#hasHead && this.#keepAlive) {
      this.#reader.next();
      return;
    }
    this.#hasHead = false;
    const listener = this.#listener;
    this.#listener = null;
    this.#completed += 1;
    // An answer before the end of the request leaves bytes under way that nobody will read, and bytes behind an answer
    // would be taken for the next one.
    const isTainted = !this.#requestEnded || this.#reader.isHoldingBack;
    if (isTainted || !this.#keepAlive) this.close();
    else {
      this.#reader.next();
      // Whoever paused the answer has its end: nobody would restart the next one, nor hear that the upstream closes.
      this.#stream.resume();
    }
    listener?.onEnd();
  }

  #onProblem({ message }: HttpProblem): void {
    const kind = this.#isClosed ? 'connection-termination' : 'protocol-error';
    this.#fail({ kind, message });
    this.close();
  }

  #fail(failure: ClientFailure): void {
    const listener = this.#listener;
    this.#listener = null;
    listener?.onFailure(failure);
  }
}
