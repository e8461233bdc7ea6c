import { once } from 'node:events';
import {
  type ClientHttp2Stream,
  connect as connectHttp2,
  createServer as createHttp2Server,
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { SPEAKS_HTTP2 } from '../../../../test/fixtures/static-proxy.ts';
import { Engine } from '../../../../test/fixtures/waypoint-engine.ts';

/** What one version says with an upgrade, and the other would read otherwise. */

const UPGRADE = 'Host: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n';
const ASKED = { ':method': 'CONNECT', ':scheme': 'http', ':authority': 'shop' };

const engine = new Engine();
let http1: Server;
let http2: Http2Server;
let seen = '';

beforeAll(async () => {
  http1 = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      seen += bytes.toString('latin1');
      if (seen.includes('/plain')) socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno');
      else socket.write('HTTP/1.1 101 Yes\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
    });
  }).listen(0, '127.0.0.1');
  http2 = createHttp2Server({ settings: { enableConnectProtocol: true } }).listen(0, '127.0.0.1');
  http2.on('stream', (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    stream.on('error', () => undefined);
    seen += headers[':method'];
    stream.respond({ ':status': 200, 'content-length': '5' });
  });
  await Promise.all([once(http1, 'listening'), once(http2, 'listening')]);
  await engine.listen();
  const portOf = (server: Server | Http2Server): number => (server.address() as AddressInfo).port;
  const route = (cluster: string) => ({
    match: { prefix: `/${cluster}` },
    route: { cluster, timeout: '0s' },
  });
  engine.configure(
    { http1: portOf(http1), http2: { port: portOf(http2), options: SPEAKS_HTTP2 } },
    {
      routes: [route('http1'), route('http2')],
      manager: { upgrade_configs: [{ upgrade_type: 'websocket' }] },
    },
  );
});

afterAll(() => {
  engine.close();
  http1.close();
  http2.close();
});

async function overHttp1(requestLine: string): Promise<string> {
  seen = '';
  const socket = connect(engine.port, '127.0.0.1');
  socket.write(`${requestLine}\r\n${UPGRADE}`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return String(answer);
}

async function overHttp2(headers: object): Promise<number> {
  seen = '';
  const session = connectHttp2(`http://127.0.0.1:${engine.port}`);
  await once(session, 'remoteSettings');
  const stream: ClientHttp2Stream = session.request({ ...ASKED, ...headers });
  stream.on('error', () => undefined);
  const [told] = (await once(stream, 'response')) as [IncomingHttpHeaders & { ':status': number }];
  session.destroy();
  return told[':status'];
}

test.for(['/http1', '/http2'])(
  'only GET upgrades, since over HTTP/2 no other method can be said (%s)',
  async (path) => {
    expect(await overHttp1(`POST ${path} HTTP/1.1`)).toMatch(/^HTTP\/1.1 403 /);
    expect(seen).toBe('');
  },
);

test('a stream does not become another protocol than WebSocket, and is no request of its own then', async () => {
  expect(await overHttp2({ ':protocol': 'h2c', ':path': '/http1' })).toBe(403);
  expect(seen).toBe('');
});

test('a host that answers an upgrade as any request has not agreed to it, which 200 would say over HTTP/2', async () => {
  expect(await overHttp2({ ':protocol': 'websocket', ':path': '/http1/plain' })).toBe(502);
  expect(await overHttp1('GET /http1/plain HTTP/1.1')).toMatch(/^HTTP\/1.1 200 /);
});

test('the length of a body is not said where another protocol follows', async () => {
  expect(
    await overHttp2({ ':protocol': 'websocket', ':path': '/http1', 'content-length': 5 }),
  ).toBe(200);
  expect(seen).not.toContain('content-length');
  const answer = await overHttp1('GET /http2 HTTP/1.1');
  expect(answer).toMatch(/^HTTP\/1.1 101 /);
  expect(answer).not.toContain('content-length');
});

const NO_CONTENT = {
  name: 'envoy.filters.http.fault',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault',
    abort: { http_status: 204, percentage: { numerator: 100 } },
  },
};

test('a fault with a status that has no body answers without one', async () => {
  const faulty = new Engine();
  await faulty.listen();
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'nowhere' } }];
  const router = {
    name: 'envoy.filters.http.router',
    typed_config: {
      '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router',
    },
  };
  faulty.configure({ nowhere: 1 }, { routes, manager: { http_filters: [NO_CONTENT, router] } });
  const socket = connect(faulty.port, '127.0.0.1');
  socket.write('GET / HTTP/1.1\r\nHost: shop\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(String(answer)).toMatch(/^HTTP\/1.1 204 No Content\r\n[\s\S]*\r\n\r\n$/);
  expect(String(answer)).not.toMatch(/content-(length|type)/);
  socket.destroy();
  faulty.close();
});
