import type { Duplex } from 'node:stream';
import { DEFAULT_SERVER_TIMES, Http1ServerConnection, type ServerTimes } from '@aquifer/http';
import { formatSocketAddress, type SocketAddress } from '@aquifer/wire';
import type { Chain, HttpChain } from '../compile/listener.ts';
import type { ServedConfig } from '../data-plane/snapshot.ts';
import type {
  RequestSeries,
  RequestTelemetry,
  SourcePeer,
} from '../telemetry/request-telemetry.ts';
import { dateText } from './date.ts';
import { HttpRequest } from './http-request.ts';
import { denied } from './outcome.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** A connection while it is open. */
export interface OpenConnection {
  /** The configuration has changed: what has been allowed may be denied by now. */
  judgeAgain(): void;
  /** Somebody waits for what is under way on it. */
  readonly isBusy: boolean;
  /** What is under way goes on, and is the last. */
  drain(): void;
  /** Ends it unless it is busy. */
  closeIfIdle(): void;
}

/** What all connections of a thread share. */
export interface EngineDeps {
  readonly config: ServedConfig;
  readonly timers: TimerWheel;
  readonly telemetry: RequestTelemetry;
  readonly connections: Set<OpenConnection>;
}

/** Where a connection came from and where it aimed. */
export interface ConnectionInfo {
  /** Name of the listener that accepted it. */
  readonly listener: string;
  readonly source: SourcePeer;
  readonly client: SocketAddress;
  readonly destination: SocketAddress;
}

/** What the requests of one connection share while the configuration stays as it is. */
export interface HttpConnection {
  readonly chain: HttpChain;
  readonly info: ConnectionInfo;
  readonly clientText: string;
  readonly destinationText: string;
  /** Counters of the requests so far. */
  readonly series: RequestSeries[];
  readonly deps: EngineDeps;
}

/** As Istio configures it: a request that has begun may be silent for as long as it likes. */
const TIMES: ServerTimes = { ...DEFAULT_SERVER_TIMES, exchangeIdleMs: 0 };

/** Serves HTTP/1.1 on a byte stream. Each request goes by the configuration that is in force when it starts. */
export function serveHttp(
  stream: Duplex,
  chain: HttpChain,
  info: ConnectionInfo,
  deps: EngineDeps,
): void {
  const served = new ServedConnection(stream, {
    chain,
    info,
    clientText: formatSocketAddress(info.client),
    destinationText: formatSocketAddress(info.destination),
    series: [],
    deps,
  });
  served.start();
}

class ServedConnection implements OpenConnection {
  readonly #stream: Duplex;
  readonly #config: ServedConfig;
  readonly #connections: Set<OpenConnection>;
  #shared: HttpConnection;
  /** Of `#shared`; the first request asks in any case. */
  #generation = -1;
  /** Its destination is not configured any more. */
  #isForsaken = false;
  /** The request that made something else of the connection, or asks to. */
  #upgrade: HttpRequest | null = null;
  #server: Http1ServerConnection | null = null;

  constructor(stream: Duplex, shared: HttpConnection) {
    this.#stream = stream;
    this.#config = shared.deps.config;
    this.#connections = shared.deps.connections;
    this.#shared = shared;
  }

  start(): void {
    this.#connections.add(this);
    const { telemetry } = this.#shared.deps;
    this.#server = new Http1ServerConnection(this.#stream, {
      onRequest: (exchange) => {
        if (this.#generation !== this.#config.generation) this.#renew();
        if (this.#isForsaken || this.#config.isEnding) exchange.closeAfterwards();
        const request = new HttpRequest(exchange, this.#shared);
        this.#upgrade = request.isUpgrade ? request : null;
        if (request.isUpgrade) exchange.takeUpgrade();
        exchange.receive(request);
        request.start();
      },
      times: TIMES,
      onProblem: (problem, bytesSent) => telemetry.protocolError(this.#shared, problem, bytesSent),
      problemHeaders: () => ['date', dateText(), 'server', this.#shared.chain.serverName],
      proxiesContinue: this.#shared.chain.proxiesContinue,
      onClose: () => this.#connections.delete(this),
    });
  }

  /**
   * A request waits for none of this: it asks when it starts. What was upgraded is cut where it is denied now. Who waits
   * for requests to what is served no longer, not even for the moment that changes take to spread, is let go.
   */
  judgeAgain(): void {
    const { info, chain } = this.#shared;
    if (!this.#config.isServed(info.listener, info.destination)) {
      this.closeIfIdle();
      return;
    }
    const request = this.#upgrade;
    if (request === null) return;
    this.#renew();
    if (this.#shared.chain === chain) return;
    for (const filter of this.#shared.chain.authorization) {
      const policy = filter(request);
      if (policy === null) continue;
      request.record(request.hasResponded ? 101 : 0, '', denied(policy).details);
      request.call?.abort();
      request.exchange.reset();
      return;
    }
  }

  get isBusy(): boolean {
    return this.#server?.isIdle === false || this.#stream.writableLength > 0;
  }

  drain(): void {
    this.#server?.drain();
  }

  closeIfIdle(): void {
    this.#server?.closeIfIdle();
  }

  #renew(): void {
    this.#generation = this.#config.generation;
    const { info, chain } = this.#shared;
    const next = this.#config.chosenNow(info.listener, info.destination)?.http ?? null;
    this.#isForsaken = next === null;
    if (next === null || next === chain) return;
    this.#shared = { ...this.#shared, chain: asHttp(next, chain) };
  }
}

/** Where bytes are passed through by now, the requests of an open connection go on as they did, under those policies. */
function asHttp(next: Chain, before: HttpChain): HttpChain {
  return next.kind === 'http' ? next : { ...before, authorization: next.authorization };
}
