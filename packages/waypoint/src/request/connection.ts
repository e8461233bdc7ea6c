import type { Duplex } from 'node:stream';
import { ServerConnection } from '@aquifer/http';
import { formatSocketAddress, type SocketAddress } from '@aquifer/wire';
import type { HttpChain } from '../compile/listener.ts';
import type { ServedConfig } from '../data-plane/snapshot.ts';
import type {
  RequestSeries,
  RequestTelemetry,
  SourcePeer,
} from '../telemetry/request-telemetry.ts';
import { dateText } from './date.ts';
import { HttpRequest } from './http-request.ts';
import type { TimerWheel } from './timer-wheel.ts';

/** What all connections of a thread share. */
export interface EngineDeps {
  readonly config: ServedConfig;
  readonly timers: TimerWheel;
  readonly telemetry: RequestTelemetry;
}

/** Where a connection came from and where it aimed. */
export interface ConnectionInfo {
  readonly source: SourcePeer;
  readonly client: SocketAddress;
  readonly destination: SocketAddress;
}

/** What the requests of one connection share; read once, not per request. */
export interface HttpConnection {
  readonly chain: HttpChain;
  readonly info: ConnectionInfo;
  readonly clientText: string;
  readonly destinationText: string;
  /** Counters of the requests so far. */
  readonly series: RequestSeries[];
  readonly deps: EngineDeps;
}

/** Serves HTTP/1.1 on a byte stream by a chain's configuration. */
export function serveHttp(
  stream: Duplex,
  chain: HttpChain,
  info: ConnectionInfo,
  deps: EngineDeps,
): ServerConnection {
  const connection: HttpConnection = {
    chain,
    info,
    clientText: formatSocketAddress(info.client),
    destinationText: formatSocketAddress(info.destination),
    series: [],
    deps,
  };
  const server: ServerConnection = new ServerConnection(stream, {
    onRequest: (exchange) => {
      const request = new HttpRequest(exchange, connection);
      request.start();
      return request;
    },
    onProblem: (problem, bytesSent) => deps.telemetry.protocolError(connection, problem, bytesSent),
    problemHeaders: () => ['date', dateText(), 'server', chain.serverName],
    proxiesContinue: chain.proxiesContinue,
    onClose: () => deps.telemetry.connections.delete(server),
  });
  deps.telemetry.connections.add(server);
  return server;
}
