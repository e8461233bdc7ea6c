import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { eventually } from '../../../../test/fixtures/eventually.ts';
import { freePort, httpBootstrap, socketAddress } from '../../../../test/fixtures/static-proxy.ts';
import { DataPlane } from '../data-plane/data-plane.ts';
import { applyStaticResources } from '../static-resources.ts';

/** A whole data plane between a client and origins, all of them on loopback. */
const NAMES = ['a', 'b', 'c'];

let origins: Server[];
let dataPlane: DataPlane;
let port: number;
let tcpPort: number;
const directory = mkdtempSync(join(tmpdir(), 'aquifer-clusters-'));
/** Answers that wait until they are to be sent. */
const held: (() => void)[] = [];

/** Answers with its name; with 500 if `x-fail` names it; what has `x-hold` waits. */
async function startOrigin(name: string): Promise<Server> {
  const server = createServer((incoming, response) => {
    const fails = String(incoming.headers['x-fail'] ?? '').includes(name);
    const answer = (): void => void response.writeHead(fails ? 500 : 200).end(name);
    if (incoming.headers['x-hold'] === undefined) answer();
    else held.push(answer);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

function clustersOf(ports: readonly number[]): Record<string, object> {
  const lbEndpoints = ports.map((one) => ({ endpoint: { address: socketAddress(one) } }));
  const cluster = (endpoints: readonly object[], more: object) => ({
    type: 'STATIC',
    common_lb_config: { healthy_panic_threshold: { value: 0 } },
    load_assignment: { cluster_name: 'c', endpoints },
    ...more,
  });
  const all = [{ lb_endpoints: lbEndpoints }];
  const outlier = { consecutive_5xx: 2, interval: '0.05s', base_ejection_time: '1s' };
  return {
    ring: cluster(all, { lb_policy: 'RING_HASH' }),
    narrow: cluster([{ lb_endpoints: lbEndpoints.slice(0, 1) }], {
      circuit_breakers: { thresholds: [{ max_connections: 1, max_pending_requests: 1 }] },
    }),
    ejecting: cluster(all, { outlier_detection: { ...outlier, max_ejection_percent: 100 } }),
    tiers: cluster(
      lbEndpoints.slice(0, 2).map((endpoint, priority) => ({ lb_endpoints: [endpoint], priority })),
      { outlier_detection: { ...outlier, max_ejection_percent: 50 } },
    ),
  };
}

/** Passes bytes on to the ring by the client's address. */
function tcpListener(listen: number): object {
  const typedConfig = {
    '@type': 'type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy',
    stat_prefix: 'tcp',
    cluster: 'ring',
    hash_policy: [{ source_ip: {} }],
  };
  const filter = { name: 'envoy.filters.network.tcp_proxy', typed_config: typedConfig };
  return { name: 'tcp', address: socketAddress(listen), filter_chains: [{ filters: [filter] }] };
}

beforeAll(async () => {
  origins = await Promise.all(NAMES.map((name) => startOrigin(name)));
  [port, tcpPort] = [await freePort(), await freePort()];
  const clusters = clustersOf(origins.map((server) => (server.address() as AddressInfo).port));
  const routes = Object.keys(clusters).map((name) => ({
    match: { path_separated_prefix: `/${name}` },
    route: { cluster: name, timeout: '0s', hash_policy: [{ header: { header_name: 'x-key' } }] },
  }));
  const file = join(directory, 'bootstrap.json');
  const bootstrap = httpBootstrap(clusters, [{ port, routes }]) as {
    readonly static_resources: { readonly listeners: object[] };
  };
  bootstrap.static_resources.listeners.push(tcpListener(tcpPort));
  writeFileSync(file, JSON.stringify(bootstrap));
  dataPlane = new DataPlane({
    threads: 1,
    config: {
      trustDomain: 'cluster.local',
      baggage: '',
      hbonePort: 0,
      bindsListeners: true,
      logFormat: 'plain',
      logLevels: 'error',
      node: { id: 'waypoint', serviceName: 'waypoint.shop', ip: '127.0.0.1', environment: {} },
    },
    onThreadLost: (error) => {
      throw error;
    },
  });
  await applyStaticResources(file, dataPlane);
  const isServed = async (): Promise<boolean> => (await ask('/ring')).status === 200;
  await eventually(isServed, { what: 'the listener' });
});

afterAll(async () => {
  await dataPlane.stop();
  for (const server of origins) {
    server.close();
    server.closeAllConnections();
  }
  rmSync(directory, { recursive: true });
});

async function ask(path: string, headers: Readonly<Record<string, string>> = {}) {
  const outgoing = request({ port, host: '127.0.0.1', path, headers: { ...headers } });
  outgoing.end();
  const [response] = (await once(outgoing, 'response')) as [IncomingMessage];
  const overloaded = response.headers['x-envoy-overloaded'] ?? null;
  return { status: response.statusCode, body: await text(response), overloaded };
}

async function bodies(count: number, path: string, headers = {}): Promise<string[]> {
  const all: string[] = [];
  for (let i = 0; i < count; i++) all.push((await ask(path, headers)).body);
  return all;
}

describe('consistent hashing', () => {
  test('sends requests with the same header to one endpoint (L053)', async () => {
    const seen = new Set<string>();
    for (const key of ['one', 'two', 'three', 'four', 'five', 'six', 'seven']) {
      const answers = new Set(await bodies(10, '/ring', { 'x-key': key }));
      expect(answers.size).toBe(1);
      for (const answer of answers) seen.add(answer);
    }
    expect(seen.size).toBeGreaterThan(1);
  });

  test('sends TCP connections of one client to one endpoint (L055)', async () => {
    const answers = new Set<string>();
    for (let i = 0; i < 10; i++) {
      const socket = connect(tcpPort, '127.0.0.1');
      socket.end('GET / HTTP/1.1\r\nHost: cart\r\nConnection: close\r\n\r\n');
      answers.add((await text(socket)).split('\r\n').at(-1) ?? '');
    }
    expect(answers.size).toBe(1);
  });
});

test('one request waits for the only connection, and those after it are refused (L162)', async () => {
  const first = ask('/narrow', { 'x-hold': '1' });
  await eventually(() => held.length === 1, { what: 'the request' });
  const refused: unknown[] = [];
  const burst = Array.from({ length: 9 }, async () => {
    const answer = await ask('/narrow');
    if (answer.status === 503) refused.push(answer);
    return answer;
  });
  await eventually(() => refused.length === 8, { what: 'the others' });
  held.pop()!();
  const answers = await Promise.all([first, ...burst]);
  const body = 'upstream connect error or disconnect/reset before headers. reset reason: overflow';
  for (const answer of refused) expect(answer).toEqual({ status: 503, body, overloaded: 'true' });
  expect(answers.filter((answer) => answer.body === 'a')).toHaveLength(2);
  expect((await ask('/narrow')).status).toBe(200);
});

test('endpoints that fail are left out until their time has passed; with none left 503 (L165)', async () => {
  // Two for each endpoint, in turns.
  const failed = await bodies(6, '/ejecting', { 'x-fail': 'abc' });
  expect(failed.toSorted()).toEqual(['a', 'a', 'b', 'b', 'c', 'c']);
  expect((await ask('/ejecting')).body).toBe('no healthy upstream');
  expect((await ask('/ejecting')).status).toBe(503);
  const answers = async (): Promise<boolean> => (await ask('/ejecting')).status === 200;
  await eventually(answers, { what: 'them to come back' });
});

test('the next priority takes over from one whose endpoint is ejected', async () => {
  expect(await bodies(3, '/tiers')).toEqual(['a', 'a', 'a']);
  await bodies(2, '/tiers', { 'x-fail': 'a' });
  expect((await ask('/tiers')).body).toBe('b');
  const isBack = async (): Promise<boolean> => (await ask('/tiers')).body === 'a';
  await eventually(isBack, { what: 'the first to come back' });
});
