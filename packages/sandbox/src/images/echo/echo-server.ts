import { createServer as createHttpServer } from 'node:http';
import { createServer as createHttp2Server, type ServerHttp2Stream } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { createServer as createNetServer, type Server, type Socket } from 'node:net';
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
}

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
  return {
    httpPort: await listen(front, options.httpPort),
    tcpPort: await listen(tcp, options.tcpPort),
    stop() {
      front.close();
      tcp.close();
      webSockets.close();
      http1.closeIdleConnections();
    },
  };
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, () => resolve((server.address() as AddressInfo).port));
  });
}
