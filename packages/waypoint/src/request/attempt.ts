// hot path: every attempt
import type {
  AnswerHead,
  AnswerListener,
  BodyLength,
  BodyListener,
  Exchange,
  Http1ClientConnection,
  HttpError,
  RequestHead,
} from '@aquifer/http';
import { getHeader, setHeader } from '@aquifer/http';
import { Overflow, QUEUE_OVERFLOW } from '../clusters/breakers.ts';
import type { ConnectionWaiter } from '../clusters/connection-queue.ts';
import type { Host } from '../clusters/host.ts';
import type { AttemptFailure } from '../compile/retry-policy.ts';
import { ConnectTimeout } from '../upstream/dialer.ts';
import { dateText } from './date.ts';
import { endToEnd, mutate } from './headers.ts';
import type { BodySink } from './request-body.ts';
import type { Timeout, TimerWheel } from './timer-wheel.ts';
import type { UpstreamCall } from './upstream-call.ts';

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

/** One try to have a request answered by one host. */
export class Attempt
  implements AnswerListener, BodyListener, BodySink, ConnectionWaiter<Http1ClientConnection>
{
  readonly #host: Host;
  readonly #call: UpstreamCall;
  readonly #timers: TimerWheel;
  #state: State = CONNECTING;
  #head: RequestHead | null = null;
  #connection: Http1ClientConnection | null = null;
  #perTry: Timeout | null = null;
  #perTryTimeoutMs = 0;
  #startedAtMs = 0;

  constructor(host: Host, call: UpstreamCall, timers: TimerWheel) {
    this.#host = host;
    this.#call = call;
    this.#timers = timers;
    host.active += 1;
  }

  /** Zero milliseconds are no limit. */
  start(head: RequestHead, perTryTimeoutMs: number): void {
    this.#startedAtMs = performance.now();
    this.#perTryTimeoutMs = perTryTimeoutMs;
    const { body, request } = this.#call;
    // What asks for an upgrade does not end before its answer.
    if (body.isComplete || request.isUpgrade) this.requestEnded();
    const idle = this.#host.pool.take();
    if (idle !== null) {
      this.#send(idle, head);
      return;
    }
    this.#head = head;
    this.#host.pool.wait(this);
  }

  onConnection(connection: Http1ClientConnection): void {
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

  #send(connection: Http1ClientConnection, head: RequestHead): void {
    const { request, bodyLength, body } = this.#call;
    const { isUpgrade } = request;
    const isFirst = connection.completed === 0;
    this.#connection = connection;
    this.#host.report('connected');
    const exchange = connection.request(head, bodyLength, { listener: this, isUpgrade });
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

  end(): void {
    this.#exchange?.end();
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
  }

  onHead(head: AnswerHead, body: BodyLength): void {
    this.#perTry?.cancel();
    const { request } = this.#call;
    request.serviceTimeMs = Math.round(performance.now() - this.#startedAtMs);
    const exchange = this.#exchange;
    const { status } = head;
    this.#host.report(status);
    if (exchange === null || !this.#call.onHead(head)) return;
    this.#state = { kind: 'answering', exchange, status };
    const headers = endToEnd(head.headers);
    if (status !== 101)
      setHeader(headers, 'x-envoy-upstream-service-time', String(request.serviceTimeMs));
    if (getHeader(headers, 'date') === null) headers.push('date', dateText());
    setHeader(headers, 'server', request.connection.chain.serverName);
    if (this.#call.setCookie !== null) headers.push('set-cookie', this.#call.setCookie);
    mutate(headers, this.#call.responseHeaders);
    mutate(headers, request.route?.responseHeaders ?? null);
    if (status === 101) headers.push('connection', 'Upgrade', 'upgrade', 'websocket');
    request.exchange.respond({ status, headers }, body);
    exchange.receive(this);
    if (status === 101) {
      this.#call.body.startOver(this);
      this.flush();
    }
    this.#call.body.forgoReplay();
  }

  /** 100 and its like, for a client that said it waits. */
  onInterim({ status, headers }: AnswerHead): void {
    const { request } = this.#call;
    if (!request.connection.chain.proxiesContinue || request.hasResponded) return;
    request.exchange.respondInterim({ status, headers: endToEnd(headers) });
  }

  onData(chunk: Buffer): void {
    if (this.#state.kind !== 'answering') return;
    const { request } = this.#call;
    request.bytesSent += chunk.length;
    if (!request.exchange.write(chunk)) this.#state.exchange.pause();
  }

  onBatch(): void {
    if (this.#state.kind === 'answering') this.#call.request.exchange.flush();
  }

  onEnd(): void {
    const state = this.#state;
    if (state.kind === 'over') return;
    this.#leave();
    this.#host.pool.release(this.#connection!);
    if (state.kind !== 'answering') return;
    this.#call.request.exchange.end();
    this.#call.onComplete(state.status);
  }

  onClose(error: HttpError | null): void {
    if (error !== null) this.onFailure(error);
  }

  onFailure(failure: HttpError): void {
    const state = this.#state;
    this.#leave();
    if (state.kind !== 'over') this.#host.report('unreachable');
    if (state.kind === 'answering') this.#call.onCut(state.status);
    else if (state.kind === 'asking')
      this.#call.onFailure(this.#kindOf(failure, state.isFirst), failure.message);
  }

  /**
   * A kept connection that closes as it is used again has most likely not taken the request; sending it once more is
   * allowed where doing it twice does no harm (RFC 9110 9.2.2).
   */
  #kindOf({ kind }: HttpError, isFirst: boolean): AttemptFailure {
    if (kind === 'violation') return 'protocol-error';
    const isRepeatable = !isFirst && IDEMPOTENT.has(this.#call.request.method);
    return isRepeatable ? 'stale-connection' : 'reset';
  }

  onDrain(): void {
    this.#call.body.pull();
  }

  #leave(): void {
    if (this.#state.kind === 'over') return;
    if (this.#state.kind === 'connecting') this.#host.pool.cancel(this);
    else this.#host.breakers.requestEnded();
    this.#state = OVER;
    this.#host.active -= 1;
    this.#perTry?.cancel();
  }
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
