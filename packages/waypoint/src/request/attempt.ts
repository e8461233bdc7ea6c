// hot path: every attempt
import type {
  AnswerHead,
  AnswerListener,
  BodyLength,
  BodyListener,
  ClientConnection,
  Exchange,
  HeaderList,
  HttpError,
  RequestHead,
} from '@aquifer/http';
import {
  getHeader,
  Http1ClientConnection,
  Http2Connection,
  removeHeader,
  setHeader,
} from '@aquifer/http';
import { Overflow, QUEUE_OVERFLOW } from '../clusters/breakers.ts';
import type { Host } from '../clusters/host.ts';
import type { AttemptFailure } from '../compile/retry-policy.ts';
import { ConnectTimeout } from '../upstream/dialer.ts';
import type { HttpVersion, RequestPool, RequestWaiter } from '../upstream/request-pool.ts';
import { endToEnd } from './headers.ts';
import type { HttpRequest } from './http-request.ts';
import type { CutKind } from './outcome.ts';
import type { BodySink, RequestBody } from './request-body.ts';
import type { Timeout, TimerWheel } from './timer-wheel.ts';
import { newKey } from './websocket.ts';

const LONG_ANSWER_MS = 1000;
const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/**
 * ```
 * connecting ──► asking ── an answer to pass on ──► answering
 *      └────────────┴── given up, failed, or answered to the end ──► over
 * ```
 */
type State =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'asking'; readonly exchange: Exchange; readonly isFirst: boolean }
  | { readonly kind: 'answering'; readonly exchange: Exchange; readonly status: number }
  | { readonly kind: 'over' };

const CONNECTING: State = { kind: 'connecting' };
const OVER: State = { kind: 'over' };

/** Whose attempt it is. */
export interface AttemptOwner {
  readonly request: HttpRequest;
  readonly body: RequestBody;
  readonly bodyLength: BodyLength;
  /** For the answer; null for none. */
  readonly setCookie: string | null;
  onInterim(): void;
  /** Decides about an answer's head: true to pass it on, false when the attempt is given up for another. */
  onHead(head: AnswerHead): boolean;
  /** The answer went downstream to its end. */
  onComplete(status: number): void;
  /** The answer was cut short. */
  onCut(status: number, kind: CutKind): void;
  /** It ended without an answer. */
  onFailure(failure: AttemptFailure, reason: string): void;
}

/** One try to have a request answered by one host. */
export class Attempt implements AnswerListener, BodyListener, BodySink, RequestWaiter {
  readonly #host: Host;
  readonly #pool: RequestPool;
  readonly #call: AttemptOwner;
  readonly #timers: TimerWheel;
  /** Both sides speak a version that has trailers. */
  readonly #passesTrailers: boolean;
  #state: State = CONNECTING;
  #head: RequestHead | null = null;
  #connection: ClientConnection | null = null;
  /** Of the answer. */
  #trailers: HeaderList | null = null;
  #perTry: Timeout | null = null;
  #perTryTimeoutMs = 0;
  #startedAtMs = 0;

  constructor(host: Host, version: HttpVersion, call: AttemptOwner) {
    const { connection } = call.request;
    this.#host = host;
    this.#pool = host.pool.of(version);
    this.#call = call;
    this.#timers = connection.deps.timers;
    this.#passesTrailers = version === 'HTTP/2' && connection.version === 'HTTP/2';
    host.active += 1;
  }

  /** Zero milliseconds are no limit. */
  start(head: RequestHead, perTryTimeoutMs: number): void {
    this.#startedAtMs = performance.now();
    this.#perTryTimeoutMs = perTryTimeoutMs;
    const { body, request } = this.#call;
    // What asks for an upgrade does not end before its answer.
    if (body.isComplete || request.isUpgrade) this.requestEnded();
    const idle = this.#pool.take();
    if (idle !== null) {
      this.#send(idle, head);
      return;
    }
    this.#head = head;
    this.#pool.wait(this);
  }

  onConnection(connection: ClientConnection): void {
    this.#send(connection, this.#head!);
    this.flush();
  }

  onNoConnection(error: Error): void {
    this.#leave();
    const failure = connectFailure(error);
    if (failure !== 'overflow') this.#host.report('unreachable');
    // Envoy then names no host.
    if (error === QUEUE_OVERFLOW) this.#call.request.host = null;
    this.#call.onFailure(failure, transportFailure(error));
  }

  /** All of the request has arrived: the time for an answer runs. What a client takes to send is not the host's. */
  requestEnded(): void {
    if (this.#perTryTimeoutMs === 0 || this.#perTry !== null) return;
    if (this.#state.kind !== 'connecting' && this.#state.kind !== 'asking') return;
    this.#perTry = this.#timers.start(this.#perTryTimeoutMs, () => {
      this.abort();
      this.#host.report('timeout');
      this.#call.onFailure('per-try-timeout', 'per try timeout');
    });
  }

  #send(connection: ClientConnection, head: RequestHead): void {
    const { request, bodyLength, body } = this.#call;
    const { isUpgrade } = request;
    // Of HTTP/2 one hears whether a request was looked at.
    const isFirst = !(connection instanceof Http1ClientConnection) || connection.completed === 0;
    if (isUpgrade && connection instanceof Http2Connection && !connection.takesExtendedConnect) {
      this.#host.breakers.requestEnded();
      this.#leave();
      this.#call.onFailure('connect-failure', 'the endpoint takes no WebSocket over HTTP/2');
      return;
    }
    this.#connection = connection;
    this.#host.report('connected');
    const sent = isUpgrade ? upgradeHead(head, connection) : head;
    const exchange = connection.request(sent, bodyLength, { listener: this, isUpgrade });
    this.#state = { kind: 'asking', exchange, isFirst };
    // What a client sends behind an upgrade is nothing that a host may read as long as it has not agreed to it.
    if (!isUpgrade) body.startOver(this);
  }

  get #exchange(): Exchange | null {
    const state = this.#state;
    return state.kind === 'asking' || state.kind === 'answering' ? state.exchange : null;
  }

  write(chunk: Buffer): boolean {
    return this.#exchange?.write(chunk) ?? false;
  }

  /** Sends what was gathered in a read. */
  flush(): void {
    this.#exchange?.flush();
  }

  end(trailers: HeaderList | null): void {
    const exchange = this.#exchange;
    if (exchange === null) return;
    if (trailers !== null && this.#passesTrailers) exchange.end(trailers);
    else exchange.end();
  }

  /** The client has room: the answer may go on. */
  resume(): void {
    this.#exchange?.resume();
  }

  /** Gives up; nothing of the host's answer is taken any more. */
  abort(): void {
    const exchange = this.#exchange;
    if (this.#state.kind === 'over') return;
    this.#leave();
    exchange?.reset();
    if (this.#connection !== null) this.#pool.release(this.#connection);
  }

  onHead(head: AnswerHead, body: BodyLength): void {
    this.#perTry?.cancel();
    const { request } = this.#call;
    request.serviceTimeMs = Math.round(performance.now() - this.#startedAtMs);
    const exchange = this.#exchange;
    const status = this.#statusOf(head);
    this.#host.report(head.status);
    if (exchange === null || !this.#call.onHead(head)) return;
    this.#state = { kind: 'answering', exchange, status };
    const headers = endToEnd(head.headers);
    if (status !== 101)
      setHeader(headers, 'x-envoy-upstream-service-time', String(request.serviceTimeMs));
    if (this.#call.setCookie !== null) headers.push('set-cookie', this.#call.setCookie);
    request.grpcStatus = request.isGrpc ? getHeader(headers, 'grpc-status') : null;
    request.respond(status, headers, body);
    exchange.receive(this);
    // What follows may take its time.
    if (this.#connection instanceof Http2Connection) request.exchange.flush();
    if (status === 101) {
      this.#call.body.startOver(this);
      this.flush();
    }
    this.#call.body.forgoReplay();
  }

  /** Over HTTP/2 any success means what 101 does over HTTP/1.1, where it means that the host has refused to upgrade. */
  #statusOf({ status }: AnswerHead): number {
    const { isUpgrade, connection } = this.#call.request;
    const isSuccess = status >= 200 && status < 300;
    if (!isUpgrade || !isSuccess) return status;
    if (this.#connection instanceof Http2Connection) return 101;
    return connection.version === 'HTTP/2' ? 502 : status;
  }

  /** 100 and its like, for a client that said it waits. */
  onInterim({ status, headers }: AnswerHead): void {
    const { request } = this.#call;
    this.#call.onInterim();
    this.#perTry?.cancel();
    if (!request.connection.chain.proxiesContinue || request.hasResponded) return;
    request.exchange.respondInterim({ status, headers: endToEnd(headers) });
  }

  onData(chunk: Buffer): void {
    if (this.#state.kind !== 'answering') return;
    const { request } = this.#call;
    request.bytesSent += chunk.length;
    request.messages?.left(chunk);
    if (!request.exchange.write(chunk)) this.#state.exchange.pause();
  }

  onBatch(): void {
    if (this.#state.kind === 'answering') this.#call.request.exchange.flush();
  }

  onTrailers(trailers: HeaderList): void {
    this.#trailers = trailers;
  }

  onEnd(): void {
    const state = this.#state;
    if (state.kind === 'over') return;
    const exchange = this.#exchange;
    this.#leave();
    // Nobody reads what the client may still send; only then is there room for another request.
    exchange?.reset('NO_ERROR');
    this.#pool.release(this.#connection!);
    if (state.kind !== 'answering') return;
    const { request } = this.#call;
    const trailers = this.#passesTrailers ? this.#trailers : null;
    if (trailers === null) request.exchange.end();
    else {
      if (request.isGrpc) request.grpcStatus ??= getHeader(trailers, 'grpc-status');
      request.exchange.end(trailers);
    }
    this.#call.onComplete(state.status);
  }

  /** A client that has been reading for so long may do so for hours: it is told to go elsewhere while it can. */
  onConnectionEnding(): void {
    const { exchange, connection } = this.#call.request;
    const isLong = performance.now() - this.#startedAtMs > LONG_ANSWER_MS;
    // Over HTTP/1.1 only the head of an answer can say so.
    if (isLong && connection.version === 'HTTP/2') exchange.closeAfterwards();
  }

  onClose(error: HttpError | null): void {
    if (error !== null) this.onFailure(error);
  }

  onFailure(failure: HttpError): void {
    const state = this.#state;
    this.#leave();
    if (state.kind !== 'over') {
      this.#host.report('unreachable');
      this.#pool.release(this.#connection!);
    }
    if (state.kind === 'answering') this.#call.onCut(state.status, this.#cutOf(failure));
    else if (state.kind === 'asking')
      this.#call.onFailure(this.#kindOf(failure, state.isFirst), failure.message);
  }

  /**
   * A kept connection that closes as it is used again has most likely not taken the request; sending it once more is
   * allowed where doing it twice does no harm (RFC 9110 9.2.2).
   */
  #kindOf({ kind, scope, reason, isUnprocessed }: HttpError, isFirst: boolean): AttemptFailure {
    if (isUnprocessed) return 'refused-stream';
    if (kind === 'violation' || reason === 'PROTOCOL_ERROR') return 'protocol-error';
    if (kind === 'reset' && scope === 'exchange') return 'remote-reset';
    const isRepeatable = !isFirst && IDEMPOTENT.has(this.#call.request.method);
    return isRepeatable ? 'stale-connection' : 'reset';
  }

  /** However an answer over HTTP/1.1 is cut short, it then is no whole message. */
  #cutOf({ kind, scope, reason }: HttpError): CutKind {
    const isHttp1 = this.#connection instanceof Http1ClientConnection;
    if (isHttp1 || kind === 'violation' || reason === 'PROTOCOL_ERROR') return 'protocol error';
    if (kind === 'reset' && reason === 'REFUSED_STREAM') return 'remote refused stream reset';
    return kind === 'reset' && scope === 'exchange' ? 'remote reset' : 'connection termination';
  }

  onDrain(): void {
    this.#call.body.pull();
  }

  #leave(): void {
    if (this.#state.kind === 'over') return;
    if (this.#state.kind === 'connecting') this.#pool.cancel(this);
    else this.#host.breakers.requestEnded();
    this.#state = OVER;
    this.#host.active -= 1;
    this.#perTry?.cancel();
  }
}

/** As the version of the connection asks for another protocol. */
function upgradeHead(head: RequestHead, connection: ClientConnection): RequestHead {
  const headers = [...head.headers];
  // Of what follows, nobody knows how long it is.
  removeHeader(headers, 'content-length');
  if (connection instanceof Http2Connection) {
    removeHeader(headers, 'sec-websocket-key');
    return { ...head, method: 'CONNECT', protocol: 'websocket', headers };
  }
  if (getHeader(headers, 'sec-websocket-key') === null) headers.push('sec-websocket-key', newKey());
  headers.push('connection', 'Upgrade', 'upgrade', 'websocket');
  return { ...head, headers };
}

/** What Envoy calls it. */
const CONNECT_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'delayed connect error: Connection refused',
  EHOSTUNREACH: 'delayed connect error: No route to host',
  ENETUNREACH: 'immediate connect error: Network is unreachable',
};

function connectFailure(error: Error): AttemptFailure {
  if (error instanceof Overflow) return 'overflow';
  return error instanceof ConnectTimeout ? 'connect-timeout' : 'connect-failure';
}

function transportFailure(error: NodeJS.ErrnoException): string {
  return CONNECT_ERRORS[error.code ?? ''] ?? error.message;
}
