import type { Duplex } from 'node:stream';
import { whenTunnelEnds } from '@aquifer/hbone';
import {
  DEFAULT_SERVER_TIMES,
  getHeader,
  Http1ServerConnection,
  Http2Connection,
  removeHeader,
  type ServerExchange,
  type ServerTimes,
} from '@aquifer/http';
import { formatSocketAddress } from '@aquifer/wire';
import type { Chain, HttpChain } from '../compile/chain.ts';
import type { ServedConfig } from '../data-plane/snapshot.ts';
import { runPhases } from '../phases.ts';
import { serverLimits } from '../upstream/http2-limits.ts';
import type { HttpVersion } from '../upstream/request-pool.ts';
import { dateText } from './date.ts';
import type { HttpConnection, OpenConnection } from './engine.ts';
import { HttpRequest } from './http-request.ts';

/** Of a connection that begins under this chain. */
function timesOf({ streamIdleTimeoutMs }: HttpChain): ServerTimes {
  return { ...DEFAULT_SERVER_TIMES, exchangeIdleMs: streamIdleTimeoutMs };
}

/** Serves HTTP on a byte stream. Each request goes by the configuration that is in force when it starts. */
export function serveHttp(
  stream: Duplex,
  version: HttpVersion,
  { chain, info, deps }: Pick<HttpConnection, 'chain' | 'info' | 'deps'>,
): void {
  const served = new ServedConnection({
    version,
    chain,
    info,
    clientText: formatSocketAddress(info.client),
    destinationText: formatSocketAddress(info.destination),
    series: [],
    upgrades: new Set(),
    deps,
  });
  served.start(stream);
}

/** The codec of a connection. */
interface Codec {
  /** A request is being read or answered, or an answer has not left. */
  isBusy(): boolean;
  /** What is under way goes on, and is the last. */
  drain(): void;
  closeIfIdle(): void;
}

class ServedConnection implements OpenConnection {
  readonly #config: ServedConfig;
  readonly #connections: Set<OpenConnection>;
  #shared: HttpConnection;
  /** Its destination is not configured any more. */
  #isForsaken: boolean;
  #codec: Codec | null = null;

  constructor(shared: HttpConnection) {
    this.#config = shared.deps.config;
    this.#connections = shared.deps.connections;
    this.#shared = shared;
    const { listener, destination } = shared.info;
    this.#isForsaken = this.#config.chosenNow(listener, destination) === null;
  }

  start(stream: Duplex): void {
    this.#connections.add(this);
    this.#codec =
      this.#shared.version === 'HTTP/2' ? this.#serveHttp2(stream) : this.#serveHttp1(stream);
    // The client's node proxy is being replaced: it cannot tell its clients, in whose words it does not speak.
    whenTunnelEnds(stream, () => this.drain());
  }

  #serveHttp1(stream: Duplex): Codec {
    const { telemetry } = this.#shared.deps;
    const server = new Http1ServerConnection(stream, {
      onRequest: (exchange) => this.#onRequest(exchange),
      times: timesOf(this.#shared.chain),
      onProblem: (problem, bytesSent) => telemetry.protocolError(this.#shared, problem, bytesSent),
      problemHeaders: () => ['date', dateText(), 'server', this.#shared.chain.serverName],
      proxiesContinue: this.#shared.chain.proxiesContinue,
      onClose: () => this.#connections.delete(this),
    });
    return {
      isBusy: () => !server.isIdle || stream.writableLength > 0,
      drain: () => server.drain(),
      closeIfIdle: () => server.closeIfIdle(),
    };
  }

  #serveHttp2(stream: Duplex): Codec {
    const connection = new Http2Connection(stream, {
      role: 'server',
      limits: serverLimits(this.#shared.chain.maxConcurrentStreams),
      times: timesOf(this.#shared.chain),
      takesExtendedConnect: true,
      onRequest: (exchange) => this.#onRequest(exchange),
      onClose: () => this.#connections.delete(this),
    });
    return {
      isBusy: () => connection.openStreams > 0 || stream.writableLength > 0,
      drain: () => connection.close(),
      closeIfIdle: () => {
        if (connection.openStreams === 0) connection.close();
      },
    };
  }

  #onRequest(exchange: ServerExchange): void {
    if (this.#isForsaken || this.#config.isEnding) exchange.closeAfterwards();
    const request = new HttpRequest(exchange, this.#shared);
    if (request.isUpgrade) {
      this.#shared.upgrades.add(request);
      exchange.takeUpgrade();
    }
    this.#continueIfAsked(request);
    exchange.receive(request);
    runPhases(request);
  }

  /** Over HTTP/1.1 the codec does this. */
  #continueIfAsked({ exchange }: HttpRequest): void {
    const { version, chain } = this.#shared;
    if (version === 'HTTP/1.1' || chain.proxiesContinue) return;
    const { headers } = exchange.head;
    if (getHeader(headers, 'expect')?.toLowerCase() !== '100-continue') return;
    removeHeader(headers, 'expect');
    exchange.respondInterim({ status: 100, headers: [] });
  }

  /**
   * Requests that start from now on go by what holds now. What was upgraded is cut where it is denied. Who waits for requests
   * to what is served no longer, not even for the moment that changes take to spread, is let go.
   */
  judgeAgain(): void {
    const { info, chain } = this.#shared;
    this.#renew();
    if (!this.#config.isServed(info.listener, info.destination)) this.closeIfIdle();
    if (this.#shared.chain === chain) return;
    const { authorization } = this.#shared.chain;
    for (const request of this.#shared.upgrades) request.judge(authorization);
  }

  get isBusy(): boolean {
    return this.#codec?.isBusy() ?? false;
  }

  drain(): void {
    this.#codec?.drain();
  }

  closeIfIdle(): void {
    this.#codec?.closeIfIdle();
  }

  endUpgrades(): void {
    for (const request of this.#shared.upgrades) request.end();
  }

  #renew(): void {
    const { info, chain } = this.#shared;
    const { listener, destination } = info;
    this.#isForsaken = this.#config.chosenNow(listener, destination) === null;
    const before = { http: chain, tcp: null };
    const next = this.#config.chosenSince(listener, destination, before).http ?? chain;
    if (next !== chain) this.#shared = { ...this.#shared, chain: asHttp(next, chain) };
  }
}

/** Where bytes are passed through by now, the requests of an open connection go on as they did, under those policies. */
function asHttp(next: Chain, before: HttpChain): HttpChain {
  return next.kind === 'http' ? next : { ...before, authorization: next.authorization };
}
