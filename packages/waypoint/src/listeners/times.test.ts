/** How long a listener lets connections and requests go on, and what they may upgrade to. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  freePort,
  httpBootstrap,
  type StaticProxy,
  startStaticProxy,
} from '../../../../test/fixtures/static-proxy.ts';

let proxy: StaticProxy;
let origin: Server;
let idlePort = 0;
let longPort = 0;

/** Passes bytes on to the origin, with limits. */
function tcpListener(port: number, limits: object): object {
  const typedConfig = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
    stat_prefix: 'tcp',
    cluster: 'origin',
    ...limits,
  };
  const filter = { name: 'envoy.filters.network.tcp_proxy', typed_config: typedConfig };
  const address = { socket_address: { address: '127.0.0.1', port_value: port } };
  return { name: `tcp-${port}`, address, filter_chains: [{ filters: [filter] }] };
}

beforeAll(async () => {
  origin = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.on('data', (bytes) => {
      if (!bytes.includes('GET /silent')) socket.write(bytes);
    });
  }).listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const originPort = (origin.address() as AddressInfo).port;
  idlePort = await freePort();
  longPort = await freePort();
  const routes = [{ match: { prefix: '/' }, route: { cluster: 'origin', timeout: '0s' } }];
  const manager = { stream_idle_timeout: '0.2s' };
  proxy = await startStaticProxy('waypoint', (port) => {
    const bootstrap = httpBootstrap({ origin: originPort }, [{ port, routes, manager }]);
    const { static_resources: resources } = bootstrap as {
      readonly static_resources: { readonly listeners: object[] };
    };
    resources.listeners.push(
      tcpListener(idlePort, { idle_timeout: '0.3s' }),
      tcpListener(longPort, { max_downstream_connection_duration: '0.4s' }),
    );
    return bootstrap;
  });
}, 40_000);

afterAll(async () => {
  await proxy.stop();
  origin.close();
});

/** How long a connection lasts on which something is said every 100 ms, `times` times. */
async function lifeOf(port: number, times: number): Promise<number> {
  const startedAtMs = performance.now();
  const socket = connect({ port, host: '127.0.0.1' }).on('error', () => undefined);
  // It is reset, which is an error; `once` would say no more than that.
  const closed = new Promise((resolve) => socket.resume().on('close', resolve));
  let said = 0;
  const talk = setInterval(() => {
    if (said++ < times) socket.write('.');
    else clearInterval(talk);
  }, 100);
  await closed;
  clearInterval(talk);
  return performance.now() - startedAtMs;
}

test('a connection on which nobody says anything for the idle timeout ends, and not before', async () => {
  const lasted = await lifeOf(idlePort, 5);
  expect(lasted).toBeGreaterThan(700);
  expect(lasted).toBeLessThan(5_000);
});

test('a connection ends when it has lasted as long as it may, whatever is said on it', async () => {
  const lasted = await lifeOf(longPort, 1_000);
  expect(lasted).toBeGreaterThan(350);
  expect(lasted).toBeLessThan(5_000);
});

test('a request on which nothing moves for the stream idle timeout is answered 408', async () => {
  const socket = connect({ port: proxy.port, host: '127.0.0.1' });
  socket.write('GET /silent HTTP/1.1\r\nHost: shop\r\n\r\n');
  const [answer] = (await once(socket, 'data')) as [Buffer];
  expect(String(answer)).toMatch(/^HTTP\/1.1 408 /);
  socket.destroy();
});

test('WebSocket is refused where the listener does not name it', async () => {
  const socket = connect({ port: proxy.port, host: '127.0.0.1' });
  socket.end('GET / HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  expect(await text(socket)).toMatch(/^HTTP\/1.1 403 /);
});
