import { once } from 'node:events';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect as connectHttp2,
  createServer as createHttp2Server,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  denying,
  ENVOY,
  httpBootstrap,
  SPEAKS_HTTP2,
  type StaticProxy,
  startStaticProxy,
} from '../fixtures/static-proxy.ts';

/** WebSocket between every two versions of HTTP (RFC 6455, RFC 8441): the same through Envoy and through our engine. */

const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=';

let http1: Server;
let http2: Http2Server;
const seen: string[] = [];
let proxies: Readonly<Record<'envoy' | 'ours', StaticProxy>>;

function echo(stream: Duplex): void {
  stream.on('error', () => undefined);
  stream.on('data', (bytes: Buffer) => stream.write(`echo ${String(bytes)}`));
  stream.on('end', () => stream.end());
}

function bootstrap(listen: number): object {
  const portOf = (server: Server | Http2Server): number => (server.address() as AddressInfo).port;
  const route = (cluster: string) => ({ cluster, timeout: '0s' });
  return httpBootstrap(
    {
      http1: portOf(http1),
      http2: { port: portOf(http2), options: SPEAKS_HTTP2 },
    },
    [
      {
        port: listen,
        routes: [
          { match: { prefix: '/http1' }, route: route('http1') },
          { match: { prefix: '/http2' }, route: route('http2') },
        ],
        manager: {
          upgrade_configs: [{ upgrade_type: 'websocket' }],
          http2_protocol_options: { allow_connect: true },
          http_filters: denying({ header: { name: 'x-denied', present_match: true } }),
        },
      },
    ],
  );
}

/** The status that agrees to it, what comes back for `hello`, and `sec-websocket-accept`. */
interface Conversation {
  readonly status: number;
  readonly echoed: string | null;
  readonly accept: string | null;
}

async function overHttp1(port: number, path: string, headers: object): Promise<Conversation> {
  const sent = request({
    port,
    host: '127.0.0.1',
    path,
    headers: {
      connection: 'Upgrade',
      upgrade: 'websocket',
      'sec-websocket-key': KEY,
      'sec-websocket-version': '13',
      ...headers,
    },
  });
  sent.end();
  const answered = Promise.withResolvers<Conversation>();
  sent.on('error', answered.reject);
  sent.on('response', ({ statusCode = 0 }: IncomingMessage) =>
    answered.resolve({ status: statusCode, echoed: null, accept: null }),
  );
  sent.on('upgrade', ({ statusCode = 0, headers: told }: IncomingMessage, socket: Duplex) => {
    socket.write('hello');
    socket.once('data', (bytes: Buffer) => {
      socket.destroy();
      const accept = told['sec-websocket-accept'] ?? null;
      answered.resolve({ status: statusCode, echoed: String(bytes), accept });
    });
  });
  return answered.promise;
}

async function overHttp2(port: number, path: string, headers: object): Promise<Conversation> {
  const session: ClientHttp2Session = connectHttp2(`http://127.0.0.1:${port}`);
  await once(session, 'remoteSettings');
  const stream: ClientHttp2Stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'http',
    ':authority': 'shop',
    ':path': path,
    'sec-websocket-version': '13',
    ...headers,
  });
  stream.on('error', () => undefined);
  const [told] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }];
  const accept = String(told['sec-websocket-accept'] ?? '') || null;
  let echoed: string | null = null;
  if (told[':status'] === 200) {
    stream.write('hello');
    const [bytes] = (await once(stream, 'data')) as [Buffer];
    echoed = String(bytes);
  }
  session.destroy();
  return { status: told[':status'], echoed, accept };
}

describe.skipIf(ENVOY === undefined)('WebSocket through Envoy and through the waypoint', () => {
  beforeAll(async () => {
    http1 = createServer((_request, response) => response.writeHead(400).end());
    http1.on('upgrade', (asked: IncomingMessage, socket: Duplex) => {
      seen.push(
        `${asked.method} ${asked.headers.upgrade} ${asked.headers['sec-websocket-version']}`,
      );
      const hasKey = asked.headers['sec-websocket-key'] !== undefined;
      const accept = hasKey ? `Sec-WebSocket-Accept: ${ACCEPT}\r\n` : '';
      const head =
        'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n';
      socket.write(`${head}${accept}\r\n`);
      echo(socket);
    });
    http2 = createHttp2Server({ settings: { enableConnectProtocol: true } });
    http2.on('stream', (stream: ServerHttp2Stream, told: IncomingHttpHeaders) => {
      seen.push(`${told[':method']} ${told[':protocol']} ${told['sec-websocket-version']}`);
      stream.respond({ ':status': told[':protocol'] === 'websocket' ? 200 : 400 });
      echo(stream);
    });
    for (const server of [http1, http2]) {
      server.listen(0, '127.0.0.1');
      await once(server, 'listening');
    }
    const [envoy, ours] = await Promise.all([
      startStaticProxy('envoy', bootstrap),
      startStaticProxy('waypoint', bootstrap),
    ]);
    proxies = { envoy, ours };
  }, 40_000);

  afterAll(async () => {
    await Promise.all(Object.values(proxies ?? {}).map((proxy) => proxy.stop()));
    http1.close();
    http1.closeAllConnections();
    http2.close();
  });

  test.for([
    ['HTTP/1.1', '/http1', {}],
    ['HTTP/1.1', '/http2', {}],
    ['HTTP/2', '/http1', {}],
    ['HTTP/2', '/http2', {}],
    ['HTTP/1.1', '/http1', { 'x-denied': 'yes' }],
    ['HTTP/2', '/http2', { 'x-denied': 'yes' }],
    ['HTTP/2', '/nowhere', {}],
  ] as const)('from %s to %s %o', async ([version, path, headers]) => {
    const talk = version === 'HTTP/2' ? overHttp2 : overHttp1;
    const told = async ({ port }: StaticProxy) => {
      seen.length = 0;
      const { status, echoed } = await talk(port, path, headers);
      return { status, echoed, seen: [...seen] };
    };
    const envoy = await told(proxies.envoy);
    expect(await told(proxies.ours)).toEqual(envoy);
  });

  test('what proves the upgrade over HTTP/1.1 is made where the other side has none', async () => {
    expect((await overHttp1(proxies.ours.port, '/http2', {})).accept).toBe(ACCEPT);
    expect((await overHttp2(proxies.ours.port, '/http1', {})).accept).toBeNull();
  });

  test('another protocol is refused', async () => {
    const headers = { ':protocol': 'connect-udp' };
    expect((await overHttp2(proxies.ours.port, '/http2', headers)).status).toBe(403);
  });
});
