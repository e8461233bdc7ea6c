import { createServer as createHttpServer } from 'node:http';
import {
  constants,
  createServer as createHttp2Server,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { createServer as createNetServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { WebSocketServer } from 'ws';
import { type EchoIdentity, HttpEcho } from './http-echo.ts';
import { serveTcp } from './tcp-echo.ts';

export interface EchoOptions {
  /** 0 picks a free port. */
  readonly httpPort: number;
  readonly tcpPort: number;
  /** So many HTTP requests are answered 503 before the first success. */
  readonly failFirst: number;
  readonly identity: EchoIdentity;
}

export interface EchoServer {
  readonly httpPort: number;
  readonly tcpPort: number;
  /** Stops accepting; open connections end when they are idle. */
  stop(): void;
  /**
   * Ends as a server should: says to everyone that it goes away and still serves them, then stops accepting, and at the
   * end of the grace ends what has not ended by itself.
   */
  drain(graceMs: number): Promise<void>;
}

/** Requests that were sent before their client had read that the server ends are still on their way for so long. */
const ANNOUNCED_MS = 1_000;
/** What was written last is on its way for so long. */
const LAST_BYTES_MS = 200;
/** More than any stream has (RFC 9113 6.8): nothing is refused yet. */
const EVERY_STREAM = 2 ** 31 - 1;
/** RFC 6455 7.4.1. */
const GOING_AWAY = 1001;

/** The first bytes of HTTP/2 with prior knowledge (RFC 9113 3.4); no HTTP/1.1 request begins so. */
const HTTP2_PREFACE = 'PRI * HTTP/2.0';

/** Listens on all addresses. Throws if a port is taken. */
export async function startEchoServer(options: EchoOptions): Promise<EchoServer> {
  const echo = new HttpEcho(options.identity, options.failFirst);
  const http1 = createHttpServer((request, response) => echo.serve(request, response));
  const http2 = createHttp2Server();
  // A server's streams are always server streams; the types say only Http2Stream.
  http2.on('stream', (stream, headers) => echo.serveStream(stream as ServerHttp2Stream, headers));
  // Clients come and go as they like; their connection errors are theirs.
  http2.on('sessionError', () => undefined);
  const sessions = new Set<ServerHttp2Session>();
  http2.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
  });
  const webSockets = new WebSocketServer({ server: http1 });
  webSockets.on('connection', (webSocket) => {
    webSocket.on('message', (data, isBinary) =>
      webSocket.send(data as Buffer, { binary: isBinary }),
    );
    webSocket.on('error', () => undefined);
  });
  const front = createNetServer((socket) => {
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
    socket.once('data', (first: Buffer) => {
      socket.pause();
      socket.unshift(first);
      const isHttp2 = HTTP2_PREFACE.startsWith(first.toString('latin1', 0, HTTP2_PREFACE.length));
      (isHttp2 ? http2 : http1).emit('connection', socket);
      if (!isHttp2) socket.resume();
    });
  });
  const tcp = createNetServer({ allowHalfOpen: true }, (socket: Socket) => serveTcp(socket));
  const stop = (): void => {
    front.close();
    tcp.close();
    webSockets.close();
    http1.closeIdleConnections();
  };
  const hasOpen = (): boolean => sessions.size + webSockets.clients.size > 0;
  return {
    httpPort: await listen(front, options.httpPort),
    tcpPort: await listen(tcp, options.tcpPort),
    stop,
    async drain(graceMs) {
      const endsAtMs = Date.now() + graceMs;
      echo.announceEnd();
      for (const session of sessions) session.goaway(constants.NGHTTP2_NO_ERROR, EVERY_STREAM);
      await sleep(ANNOUNCED_MS);
      stop();
      for (const session of sessions) session.close();
      while (hasOpen() && Date.now() < endsAtMs) await sleep(LAST_BYTES_MS);
      echo.endCalls();
      for (const webSocket of webSockets.clients) webSocket.close(GOING_AWAY);
      await sleep(LAST_BYTES_MS);
    },
  };
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => resolve((server.address() as AddressInfo).port));
  });
}
