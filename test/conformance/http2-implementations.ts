import { once } from 'node:events';
import {
  connect as connectHttp2,
  createServer as createHttp2Server,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import {
  type AnswerHead,
  getHeader,
  Http2Connection,
  type Http2Limits,
  type ServerExchange,
} from '../../packages/http/src/index.ts';

/** What came back for a request. */
export interface Answer {
  readonly status: string;
  /** Value of `x-echo` in the answer. */
  readonly echo: string;
  readonly body: Buffer;
  /** The stream was cut before its end. */
  readonly isCut: boolean;
}

interface Exchange {
  /** Default `/`. */
  readonly path?: string;
  /** Default empty. */
  readonly echo?: string;
  /** Default empty. */
  readonly body?: Buffer;
  /** Called when the answer has begun. */
  readonly onAnswer?: () => void;
}

/** A client on one connection. */
export interface Http2Client {
  exchange(request: Exchange): Promise<Answer>;
  /** Resolves when the server has ended the connection in order. */
  readonly closed: Promise<void>;
  abort(): void;
}

export interface RunningServer {
  readonly port: number;
  /** Ends every connection in order. */
  drain(): void;
  abort(): void;
}

/**
 * One implementation of HTTP/2 in both roles, without TLS. The server answers 200 with the request's `x-echo` and its
 * body; `/cut` is reset after a first piece of body.
 */
export interface Http2Implementation {
  readonly name: string;
  serve(): Promise<RunningServer>;
  dial(port: number): Promise<Http2Client>;
}

const LIMITS: Http2Limits = {
  streamWindowBytes: 65_536,
  maxStreamWindowBytes: 262_144,
  windowGrowthBytes: 1_048_576,
  connectionWindowBytes: 1_048_576,
  maxFrameBytes: 65_536,
  maxHeaderListBytes: 65_536,
  maxConcurrentStreams: 100,
};

function requestHeaders({ path = '/', echo = '' }: Exchange): [string, string][] {
  return [
    [':method', 'POST'],
    [':scheme', 'http'],
    [':authority', 'a.example'],
    [':path', path],
    ['x-echo', echo],
  ];
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

export const ours: Http2Implementation = {
  name: 'ours',
  serve: async () => {
    const connections = new Set<Http2Connection>();
    const server = createServer((socket) => {
      const connection = new Http2Connection(socket, {
        role: 'server',
        limits: LIMITS,
        onRequest: echoBack,
        onClose: () => connections.delete(connection),
      });
      connections.add(connection);
    });
    return {
      port: await listening(server),
      drain: () => {
        server.close();
        for (const connection of connections) connection.close();
      },
      abort: () => {
        server.close();
        for (const connection of connections) connection.abort();
      },
    };
  },
  dial: (port) =>
    new Promise((resolve, reject) => {
      const closed = Promise.withResolvers<void>();
      const socket = connect(port, '127.0.0.1');
      const connection = new Http2Connection(socket, {
        role: 'client',
        limits: { ...LIMITS, maxConcurrentStreams: null },
        onReady: () => {
          resolve({
            exchange: (request) => exchange(connection, request),
            closed: closed.promise,
            abort: () => connection.abort(),
          });
        },
        onClose: (error) => {
          if (error === null) closed.resolve();
          reject(error ?? new Error('closed'));
        },
      });
    }),
};

function echoBack(exchange: ServerExchange): void {
  const { path, headers } = exchange.head;
  exchange.respond({ status: 200, headers: ['x-echo', getHeader(headers, 'x-echo') ?? ''] }, null);
  exchange.receive({
    onData: (chunk) => {
      if (!exchange.write(chunk)) exchange.pause();
      if (path === '/cut') exchange.reset('INTERNAL_ERROR');
    },
    onEnd: () => exchange.end(),
    onDrain: () => exchange.resume(),
    onClose: () => undefined,
  });
}

function exchange(
  connection: Http2Connection,
  { path = '/', echo = '', body, onAnswer }: Exchange,
): Promise<Answer> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let answer: AnswerHead | null = null;
    const settle = (isCut: boolean): void => {
      const echoed = getHeader(answer?.headers ?? [], 'x-echo') ?? '';
      resolve({
        status: String(answer?.status ?? ''),
        echo: echoed,
        body: Buffer.concat(chunks),
        isCut,
      });
    };
    const sent = connection.request(
      { method: 'POST', scheme: 'http', authority: 'a.example', path, headers: ['x-echo', echo] },
      null,
      {
        isUpgrade: false,
        listener: {
          onHead: (head) => {
            answer = head;
            onAnswer?.();
            sent.receive({
              onData: (chunk) => chunks.push(Buffer.from(chunk)),
              onEnd: () => undefined,
              onDrain: () => undefined,
              onClose: (error) => settle(error !== null),
            });
          },
          onFailure: () => settle(true),
        },
      },
    );
    if (body !== undefined) sent.write(body);
    sent.end();
  });
}

export const node: Http2Implementation = {
  name: 'node:http2',
  serve: async () => {
    const server = createHttp2Server();
    const sessions = new Set<{ close(): void; destroy(): void }>();
    server.on('session', (session) => sessions.add(session));
    server.on('stream', (stream: ServerHttp2Stream, headers) => {
      stream.on('error', () => undefined);
      stream.respond({ ':status': 200, 'x-echo': headers['x-echo'] });
      stream.pipe(stream);
      if (headers[':path'] === '/cut') stream.once('data', () => stream.close(2));
    });
    return {
      port: await listening(server),
      drain: () => {
        server.close();
        for (const session of sessions) session.close();
      },
      abort: () => {
        server.close();
        for (const session of sessions) session.destroy();
      },
    };
  },
  dial: async (port) => {
    const session = connectHttp2(`http://127.0.0.1:${port}`);
    await once(session, 'remoteSettings');
    const closed = Promise.withResolvers<void>();
    session.once('close', () => closed.resolve());
    session.on('error', () => undefined);
    return {
      exchange: (request) =>
        new Promise((resolve) => {
          const stream = session.request(Object.fromEntries(requestHeaders(request)));
          const chunks: Buffer[] = [];
          let status = '';
          let echoed = '';
          stream.once('response', (headers) => {
            status = String(headers[':status']);
            echoed = String(headers['x-echo']);
            request.onAnswer?.();
          });
          stream.on('data', (chunk: Buffer) => chunks.push(chunk));
          stream.on('error', () => undefined);
          stream.once('close', () => {
            resolve({
              status,
              echo: echoed,
              body: Buffer.concat(chunks),
              isCut: stream.rstCode !== 0,
            });
          });
          stream.end(request.body);
        }),
      closed: closed.promise,
      abort: () => session.destroy(),
    };
  },
};
