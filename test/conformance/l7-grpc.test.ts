import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type Http2Server } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import {
  type CallResult,
  call,
  connectGrpc,
  type GrpcClient,
  type GrpcServer,
  startGrpcServer,
} from '../fixtures/grpc-echo.ts';
import {
  accessLog,
  denying,
  ENVOY,
  freePort,
  httpBootstrap,
  SPEAKS_AS_CLIENT,
  SPEAKS_HTTP2,
  type StaticProxy,
  startStaticProxy,
} from '../fixtures/static-proxy.ts';

/** The same calls of gRPC through a real Envoy and through our engine, with the same configuration. */

const ACCESS_LOG = accessLog(
  '"%REQ(:METHOD)% %REQ(:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n',
);

const unlimited = { timeout: '0s', max_grpc_timeout: '0s' };
const retrying = {
  cluster: 'origin',
  ...unlimited,
  retry_policy: { retry_on: 'unavailable,cancelled', num_retries: 2 },
};

interface Ports {
  readonly listen: number;
  readonly origin: number;
  readonly closed: number;
  /** Of a server that never answers. */
  readonly silent: number;
}

function bootstrap({ listen, origin, closed, silent }: Ports): object {
  return httpBootstrap(
    {
      origin: { port: origin, options: SPEAKS_HTTP2 },
      mirrored: { port: origin, options: SPEAKS_AS_CLIENT },
      closed: { port: closed, options: SPEAKS_HTTP2 },
      silent: { port: silent, options: SPEAKS_HTTP2 },
    },
    [
      {
        port: listen,
        routes: [
          { match: has('x-route', 'closed'), route: { cluster: 'closed', ...unlimited } },
          { match: has('x-route', 'unknown'), route: { cluster: 'nowhere', ...unlimited } },
          { match: has('x-route', 'direct'), direct_response: { status: 418 } },
          {
            match: has('x-route', 'short'),
            route: { cluster: 'silent', timeout: '5s', max_grpc_timeout: '0.2s' },
          },
          { match: has('x-route', 'retry'), route: retrying },
          { match: has('x-route', 'mirrored'), route: { cluster: 'mirrored', ...unlimited } },
          { match: { prefix: '/shop.Cart/' }, route: { cluster: 'origin', ...unlimited } },
        ],
        manager: {
          access_log: [ACCESS_LOG],
          http_filters: denying({ header: { name: 'x-denied', present_match: true } }),
        },
      },
    ],
  );
}

function has(name: string, exact: string): object {
  return { prefix: '/', headers: [{ name, string_match: { exact } }] };
}

let server: GrpcServer;
let silent: Http2Server;
let proxies: Readonly<Record<'envoy' | 'ours', StaticProxy>>;
let clients: Readonly<Record<'envoy' | 'ours', GrpcClient>>;

function shown({ messages, code, details, trailer }: CallResult) {
  return { messages: messages.map(String), code, details, trailer };
}

describe.skipIf(ENVOY === undefined)('gRPC through Envoy and through the waypoint', () => {
  beforeAll(async () => {
    server = await startGrpcServer();
    silent = createServer().on('stream', (stream) => stream.on('error', () => undefined));
    silent.listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const ports = {
      origin: server.port,
      closed: await freePort(),
      silent: (silent.address() as AddressInfo).port,
    };
    const start = (name: 'envoy' | 'waypoint') =>
      startStaticProxy(name, (listen) => bootstrap({ listen, ...ports }));
    const [envoy, ours] = await Promise.all([start('envoy'), start('waypoint')]);
    proxies = { envoy, ours };
    clients = { envoy: connectGrpc(envoy.port), ours: connectGrpc(ours.port) };
  }, 40_000);

  afterAll(async () => {
    for (const client of Object.values(clients ?? {})) client.close();
    await Promise.all(Object.values(proxies ?? {}).map((proxy) => proxy.stop()));
    server.stop();
    silent.close();
  });

  const hello = Buffer.from('hello');
  let answered = 0;

  test.for([
    ['an answer', 'unary', {}],
    ['a failure of the server', 'unary', { 'x-fail': '5' }],
    ['a failure that is retried in vain', 'unary', { 'x-fail': '14', 'x-route': 'retry' }],
    ['a denial', 'unary', { 'x-denied': 'yes' }],
    ['an endpoint that takes no connections', 'unary', { 'x-route': 'closed' }],
    ['a cluster that does not exist', 'unary', { 'x-route': 'unknown' }],
    ['a direct response', 'unary', { 'x-route': 'direct' }],
    ['a route whose time is over', 'unary', { 'x-route': 'short' }],
    ['the version of the client', 'chat', { 'x-route': 'mirrored' }],
    ['a stream up', 'upload', {}],
    ['a stream down', 'download', {}],
    ['a stream both ways', 'chat', {}],
  ] as const)('%s is the same', async ([, name, metadata]) => {
    const messages = name === 'download' ? [Buffer.from('3x5')] : [hello, Buffer.from('again')];
    const envoy = await call(clients.envoy, name, messages, { metadata });
    const ours = await call(clients.ours, name, messages, { metadata });
    expect(shown(ours)).toEqual(shown(envoy));
    const lines = (proxy: StaticProxy) => readFileSync(proxy.logFile, 'latin1').match(/.+/g) ?? [];
    answered += 1;
    await eventually(
      () => Object.values(proxies).every((proxy) => lines(proxy).length >= answered),
      { what: 'the access lines' },
    );
    expect(lines(proxies.ours).at(-1)).toBe(lines(proxies.envoy).at(-1));
  });

  test('large messages pass whole in both directions', async () => {
    const big = Buffer.alloc(5 * 1024 * 1024, 'x');
    const { messages, code } = await call(clients.ours, 'chat', [big, big, big]);
    expect(code).toBe(0);
    expect(messages.map(({ length }) => length)).toEqual([big.length, big.length, big.length]);
    const down = await call(clients.ours, 'download', [Buffer.from('200x100000')]);
    expect(down.messages.length).toBe(200);
    expect(down.trailer).toBe('done');
  });

  test('the deadline of a client reaches the server, and a call that is given up is cancelled there', async () => {
    const result = await call(clients.ours, 'unary', [hello], {
      metadata: { 'x-delay-ms': '3000' },
      deadlineMs: 300,
    });
    expect(result.code).toBe(4);
    await eventually(() => server.cancelled.includes('unary'), {
      what: 'the cancellation',
    });
  });

  test('ten thousand calls share few connections, and none is lost', async () => {
    server.peers.clear();
    let failed = 0;
    const worker = async (): Promise<void> => {
      for (let i = 0; i < 200; i++) {
        const { code, messages } = await call(clients.ours, 'unary', [Buffer.from(String(i))]);
        if (code !== 0 || String(messages[0]) !== String(i)) failed += 1;
      }
    };
    await Promise.all(Array.from({ length: 50 }, worker));
    expect(failed).toBe(0);
    expect(server.peers.size).toBeLessThanOrEqual(2);
    await delay(0);
  }, 60_000);
});
