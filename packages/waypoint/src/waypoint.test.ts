import { once } from 'node:events';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { ConnectListener, splice } from '@aquifer/hbone';
import { Http1ClientConnection } from '@aquifer/http';
import { formatIdentity } from '@aquifer/model';
import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { type DescMessage, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestAuthority } from '../../../test/fixtures/certificates.ts';
import { freePort } from '../../../test/fixtures/static-proxy.ts';
import { Tunnels } from '../../../test/fixtures/tunnels.ts';
import {
  clusters,
  endpoints,
  mainInternal,
  TYPES,
} from '../../../test/fixtures/waypoint-config.ts';
import { DataPlane } from './data-plane/data-plane.ts';
import type { ResourceKind } from './data-plane/resources.ts';

/** A whole data plane: a client's tunnel in, policies and routes, a tunnel with its own identity out. */
const WAYPOINT = 'spiffe://cluster.local/ns/shop/sa/waypoint';
const CLIENT = 'spiffe://cluster.local/ns/shop/sa/client';
const SERVER = 'spiffe://cluster.local/ns/shop/sa/server';
const SERVER_IP = '127.0.0.3';
const VIP = '10.96.0.10';

let authority: TestAuthority;
let dataPlane: DataPlane;
let tunnels: Tunnels;
let hbonePort: number;
const inboundPeers: string[] = [];
const cleanup = new AsyncDisposableStack();

function apply(kind: ResourceKind, schema: DescMessage, values: readonly JsonValue[]) {
  const resources = values.map((value) => {
    const message = fromJson(schema, value, { registry: TYPES });
    const { name = '', clusterName = '' } = message as unknown as Record<string, string>;
    return { name: name || clusterName, body: toBinary(schema, message) };
  });
  return dataPlane.apply(kind, { resources, removed: [] });
}

/** The node proxy of the server: takes tunnels on 15008 and hands them to the application. */
async function startServerSide(): Promise<void> {
  const app = createServer((request, response) => {
    const answer = `${request.method} ${request.url} ${request.headers['x-version'] ?? ''}`;
    void text(request).then((body) => response.end(`${answer}${body}`));
  }).listen(0, SERVER_IP);
  app.on('upgrade', (_request, socket) => {
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    socket.pipe(socket);
  });
  await once(app, 'listening');
  cleanup.defer(() => void app.close());
  const appPort = (app.address() as AddressInfo).port;
  const listener = new ConnectListener({
    certificate: authority.issue(SERVER),
    trustDomain: 'cluster.local',
    onHandshakeFailed: () => undefined,
    onConnect: (request) => {
      inboundPeers.push(formatIdentity(request.peer.identity));
      const upstream = connect({ port: appPort, host: SERVER_IP, allowHalfOpen: true });
      upstream.once('connect', () => {
        void splice(request.accept(), upstream, {
          received: () => undefined,
          sent: () => undefined,
        });
      });
    },
  });
  listener.server.listen(15_008, SERVER_IP);
  await once(listener.server, 'listening');
  cleanup.defer(() => listener.abort());
}

beforeAll(async () => {
  authority = new TestAuthority();
  await startServerSide();
  hbonePort = await freePort();
  dataPlane = new DataPlane({
    threads: 1,
    config: {
      trustDomain: 'cluster.local',
      baggage: '',
      hbonePort,
      bindsListeners: false,
      logFormat: 'plain',
      logLevels: 'error',
      node: { id: 'waypoint', serviceName: 'waypoint.shop', ip: '127.0.0.1', environment: {} },
    },
    onThreadLost: (error) => {
      throw error;
    },
  });
  dataPlane.setCertificate(authority.issue(WAYPOINT));
  apply('cluster', ClusterSchema, clusters());
  apply('endpoints', ClusterLoadAssignmentSchema, endpoints(SERVER_IP));
  apply('listener', ListenerSchema, [mainInternal(VIP)]);
  await dataPlane.listen();
  const peer = { match: 'exact', uris: [WAYPOINT] } as const;
  tunnels = new Tunnels(hbonePort, { certificate: authority.issue(CLIENT), peer });
});

afterAll(async () => {
  tunnels.pool.abort();
  await dataPlane.stop();
  await cleanup.disposeAsync();
  authority[Symbol.dispose]();
});

async function ask(head: string): Promise<string> {
  const stream = await tunnels.open(`${VIP}:80`, { forwarded: 'for="10.244.1.7:4000"' });
  stream.end(`${head}\r\nHost: cart\r\nConnection: close\r\n\r\n`);
  return text(stream);
}

describe('a request through the waypoint', () => {
  test('reaches an endpoint by a tunnel that carries the waypoint identity', async () => {
    expect(await ask('GET /items HTTP/1.1')).toMatch(/^HTTP\/1.1 200 OK[\s\S]*GET \/items $/);
    expect(inboundPeers.at(-1)).toBe(WAYPOINT);
  });

  test('is refused by a policy on the client identity with 403', async () => {
    const answer = await ask('DELETE /items HTTP/1.1');
    expect(answer).toMatch(/^HTTP\/1.1 403 Forbidden/);
    expect(answer).toMatch(/RBAC: access denied$/);
  });

  test('to a port that nothing is configured for is answered 404 on the tunnel', async () => {
    await expect(tunnels.open(`${VIP}:81`)).rejects.toThrow('http status: 404');
    await expect(tunnels.open('10.96.9.9:80')).rejects.toThrow('http status: 404');
  });

  test('that is no HTTP ends that connection only', async () => {
    const stream = await tunnels.open(`${VIP}:80`);
    stream.end('nonsense\r\n\r\n');
    expect(await text(stream)).toMatch(/^HTTP\/1.1 400/);
    expect(await ask('GET / HTTP/1.1')).toMatch(/^HTTP\/1.1 200/);
  });

  test('has its body passed on whole while connections are still being made for it', async () => {
    const body = 'x'.repeat(300_000);
    const post = `POST /body HTTP/1.1\r\nHost: cart\r\nConnection: close\r\nContent-Length: ${body.length}`;
    const send = async (): Promise<string> => {
      const stream = await tunnels.open(`${VIP}:80`);
      stream.end(`${post}\r\n\r\n${body}`);
      return text(stream);
    };
    const answers = await Promise.all([send(), send(), send(), send()]);
    for (const answer of answers) expect(answer).toContain(body);
  });

  test('that upgrades to WebSocket carries bytes both ways until the client ends it', async () => {
    const stream = await tunnels.open(`${VIP}:80`);
    const upgrade = 'Host: cart\r\nConnection: Upgrade\r\nUpgrade: websocket';
    stream.write(`GET /chat HTTP/1.1\r\n${upgrade}\r\n\r\n`);
    const answers = stream.iterator({ destroyOnReturn: false });
    expect(String((await answers.next()).value)).toMatch(/^HTTP\/1.1 101 /);
    for (const message of ['one', 'two']) {
      stream.write(message);
      expect(String((await answers.next()).value)).toBe(message);
    }
    stream.end();
    expect((await answers.next()).done).toBe(true);
  });

  test('shares its upstream connection with the one before it', async () => {
    const before = inboundPeers.length;
    const stream = await tunnels.open(`${VIP}:80`);
    const client = new Http1ClientConnection(stream);
    for (let i = 0; i < 5; i++) await once200(client);
    expect(inboundPeers.length - before).toBeLessThanOrEqual(1);
  });
});

function once200(client: Http1ClientConnection): Promise<void> {
  return new Promise((resolve, reject) => {
    const head = { method: 'GET', scheme: null, authority: 'cart', path: '/', headers: [] };
    const exchange = client.request(head, 0, {
      isUpgrade: false,
      listener: {
        onHead: ({ status }) => {
          if (status !== 200) reject(new Error(String(status)));
          exchange.receive({
            onData: () => undefined,
            onEnd: resolve,
            onDrain: () => undefined,
            onClose: reject,
          });
        },
        onFailure: reject,
      },
    });
  });
}

test('a listener that cannot be served is named and the last good one keeps serving', async () => {
  const broken = {
    ...(mainInternal(VIP) as object),
    filterChains: [{ name: 'x', filters: [] }],
  } as JsonValue;
  const rejected = apply('listener', ListenerSchema, [broken]);
  expect(rejected[0]?.name).toBe('main_internal');
  expect(rejected[0]?.reason).toContain(
    'filter_chains[0]: has neither an HTTP connection manager nor',
  );
  expect(await ask('GET /still HTTP/1.1')).toContain('GET /still');
});

test('finished requests are counted by code, source and destination', async () => {
  await ask('GET /counted HTTP/1.1');
  const series = await dataPlane.metrics();
  const ok = series.find(({ code }) => code === 200);
  expect(ok?.source.principal).toBe(CLIENT);
  expect(ok?.destination?.workload).toBe('cart-1');
  expect(series.some(({ code }) => code === 403)).toBe(true);
});

/** After it nothing is asked any more: tests in a file run in order. */
test('a kept connection in a tunnel is told that it ends before it does, when the waypoint drains', async () => {
  const stream = await tunnels.open(`${VIP}:80`);
  const answers = stream.iterator({ destroyOnReturn: false });
  const get = 'GET /kept HTTP/1.1\r\nHost: cart\r\n\r\n';
  stream.write(get);
  expect(String((await answers.next()).value)).not.toContain('connection: close');
  await dataPlane.drain();
  stream.write(get);
  expect(String((await answers.next()).value)).toMatch(/^HTTP\/1.1 200 OK[\s\S]*connection: close/);
  // The rest of the answer, and then the end.
  while (!(await answers.next()).done);
  expect(stream.readableEnded).toBe(true);
});
