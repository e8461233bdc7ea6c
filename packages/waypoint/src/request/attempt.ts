// hot path: every attempt
import type {
  BodyFraming,
  ClientConnection,
  ClientExchange,
  ClientFailure,
  HeaderList,
  ResponseHead,
  ResponseListener,
} from '@aquifer/http';
import { getHeader, removeHeader, setHeader } from '@aquifer/http';
import type { Host } from '../clusters/host.ts';
import { dateText } from './date.ts';
import { endToEnd, mutate } from './headers.ts';
import { reasonOf } from './reasons.ts';
import type { RequestBody } from './request-body.ts';
import type { Timeout, TimerWheel } from './timer-wheel.ts';
import type { UpstreamCall } from './upstream-call.ts';

const IDEMPOTENT = new Set(['GET', 'HEAD', 'OPTIONS', 'TRACE', 'PUT', 'DELETE']);

/** One try to have a request answered by one host. */
export class Attempt implements ResponseListener {
  readonly #host: Host;
  readonly #call: UpstreamCall;
  readonly #timers: TimerWheel;
  #connection: ClientConnection | null = null;
  #exchange: ClientExchange | null = null;
  /** Chunks that arrived while connecting. */
  #waiting: Buffer[] | null = null;
  #perTry: Timeout | null = null;
  #startedAtMs = 0;
  #isOver = false;
  #passesOn = false;
  status = 0;

  constructor(host: Host, call: UpstreamCall, timers: TimerWheel) {
    this.#host = host;
    this.#call = call;
    this.#timers = timers;
    host.active += 1;
  }

  start(
    head: { readonly method: string; readonly target: string; readonly headers: HeaderList },
    options: { readonly body: RequestBody; readonly perTryTimeoutMs: number },
  ): void {
    this.#startedAtMs = performance.now();
    if (options.perTryTimeoutMs > 0) {
      this.#perTry = this.#timers.start(options.perTryTimeoutMs, () => {
        this.abort();
        this.#call.onFailure('per-try-timeout', 'per try timeout');
      });
    }
    const idle = this.#host.pool.take();
    if (idle !== null) {
      this.#send(idle, head, options.body);
      return;
    }
    this.#waiting = [];
    this.#host.pool.connect().then(
      (connection) => {
        if (this.#isOver) {
          connection.close();
          return;
        }
        this.#send(connection, head, options.body);
        this.flush();
      },
      (error: Error) => {
        if (this.#isOver) return;
        this.#leave();
        this.#call.onFailure('connect-failure', transportFailure(error));
      },
    );
  }

  #send(
    connection: ClientConnection,
    head: { readonly method: string; readonly target: string; readonly headers: HeaderList },
    body: RequestBody,
  ): void {
    this.#connection = connection;
    const { request, framing } = this.#call;
    const options = { listener: this, isUpgrade: request.isUpgrade };
    const exchange = connection.request(head, framing, options);
    this.#exchange = exchange;
    // What arrived before: kept for replay, or held back while connecting.
    const pending = body.chunks.length > 0 ? body.chunks : this.#waiting;
    this.#waiting = null;
    if (pending !== null && pending.length > 0) {
      let hasRoom = true;
      for (const chunk of pending) hasRoom = exchange.write(chunk);
      // Who held the rest back was this attempt while it connected, or one before it that is gone.
      if (hasRoom) request.exchange.resume();
    }
    // After an upgrade the client's side stays open until the client ends it.
    if (request.requestEnded || (body.isComplete && !request.isUpgrade)) exchange.end();
  }

  /** More of the request's body. */
  write(chunk: Buffer): void {
    if (this.#isOver) return;
    if (this.#exchange === null) {
      this.#waiting?.push(Buffer.from(chunk));
      this.#call.request.exchange.pause();
      return;
    }
    if (!this.#exchange.write(chunk)) this.#call.request.exchange.pause();
  }

  /** Sends what was gathered in a read. */
  flush(): void {
    this.#exchange?.flush();
  }

  end(): void {
    this.#exchange?.end();
  }

  resume(): void {
    this.#exchange?.resume();
  }

  /** Gives up; nothing of the host's answer is taken any more. */
  abort(): void {
    if (this.#isOver) return;
    this.#exchange?.abort();
    this.#leave();
  }

  onHead(head: ResponseHead, framing: BodyFraming): void {
    this.#perTry?.cancel();
    const { request } = this.#call;
    request.serviceTimeMs = Math.round(performance.now() - this.#startedAtMs);
    this.status = head.status;
    if (!this.#call.onHead(head)) return;
    this.#passesOn = true;
    const { status } = head;
    const headers = endToEnd(head.headers);
    if (status === 101) headers.push('connection', 'Upgrade', 'upgrade', 'websocket');
    else setHeader(headers, 'x-envoy-upstream-service-time', String(request.serviceTimeMs));
    if (getHeader(headers, 'date') === null) headers.push('date', dateText());
    setHeader(headers, 'server', request.connection.chain.serverName);
    mutate(headers, this.#call.responseHeaders);
    mutate(headers, request.route?.responseHeaders ?? null);
    const downstream = downstreamFraming(framing, { status, method: request.method, headers });
    request.exchange.respond({ status, reason: reasonOf(status), headers }, downstream);
  }

  /** 100 and its like, for a client that said it waits. */
  onInterim({ status, headers }: ResponseHead): void {
    const { request } = this.#call;
    if (!request.connection.chain.proxiesContinue || request.hasResponded) return;
    request.exchange.respondInterim({
      status,
      reason: reasonOf(status),
      headers: endToEnd(headers),
    });
  }

  onData(chunk: Buffer): void {
    if (!this.#passesOn) return;
    const { request } = this.#call;
    request.bytesSent += chunk.length;
    if (!request.exchange.write(chunk)) this.#exchange?.pause();
  }

  onPause(): void {
    if (this.#passesOn) this.#call.request.exchange.flush();
  }

  onEnd(): void {
    if (this.#isOver) return;
    const connection = this.#connection!;
    this.#leave();
    this.#host.pool.release(connection);
    if (!this.#passesOn) return;
    this.#call.request.exchange.end();
    this.#call.onComplete(this.status);
  }

  onFailure(failure: ClientFailure): void {
    if (this.#isOver) return;
    const isStale = (this.#connection?.completed ?? 0) > 0 && this.status === 0;
    this.#leave();
    // A kept connection that closes as it is used again has most likely not taken the request; sending it once more
    // is allowed where doing it twice does no harm (RFC 9110 9.2.2).
    const isRepeatable = isStale && IDEMPOTENT.has(this.#call.request.method);
    if (failure.kind === 'protocol-error') this.#call.onFailure('protocol-error', failure.message);
    else this.#call.onFailure(isRepeatable ? 'stale-connection' : 'reset', failure.message);
  }

  onDrain(): void {
    this.#call.request.exchange.resume();
  }

  #leave(): void {
    this.#isOver = true;
    this.#exchange = null;
    this.#host.active -= 1;
    this.#perTry?.cancel();
  }
}

/** A body without a length is chunked towards the client, also where only a HEAD asks about it. */
function downstreamFraming(
  framing: BodyFraming,
  answer: { readonly status: number; readonly method: string; readonly headers: HeaderList },
): BodyFraming {
  const { status, method, headers } = answer;
  if (status === 101 || status === 304) return NO_BODY;
  if (status === 204) {
    removeHeader(headers, 'content-length');
    return NO_BODY;
  }
  const hasLength = framing.kind === 'none' || framing.kind === 'length';
  if (hasLength && getHeader(headers, 'content-length') !== null) return framing;
  headers.push('transfer-encoding', 'chunked');
  return method === 'HEAD' ? NO_BODY : { kind: 'chunked' };
}

const NO_BODY: BodyFraming = { kind: 'none' };

/** What Envoy calls it. */
const CONNECT_ERRORS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'delayed connect error: Connection refused',
  EHOSTUNREACH: 'delayed connect error: No route to host',
  ENETUNREACH: 'immediate connect error: Network is unreachable',
};

function transportFailure(error: NodeJS.ErrnoException): string {
  return CONNECT_ERRORS[error.code ?? ''] ?? error.message;
}
