import { createServer } from 'node:http';
import { expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import type { ApiObject } from '../fixtures/scripted-kubernetes-api.ts';
import {
  ask,
  gatewayObject,
  listenAt,
  policyObject,
  type RunningWaypoint,
  readUntil,
  serveAt,
  serverPod,
  serviceObject,
  startWaypointProcess,
  untilEnded,
  untilReady,
  VIP,
  WAYPOINT_POD,
} from '../fixtures/waypoint-process.ts';

/** What becomes of connections that are open while the configuration changes. */
const DENY_CLIENT = policyObject({
  action: 'DENY',
  rules: [{ from: [{ source: { principals: ['cluster.local/ns/shop/sa/client'] } }] }],
});

/** Answers with its own name; upgrades to an echo. */
async function startApp(ip: string, name: string): Promise<number> {
  const app = createServer((_request, response) => response.end(name));
  app.on('upgrade', (_request, socket) => {
    socket.on('error', () => socket.destroy());
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    socket.pipe(socket);
  });
  return listenAt(app, ip);
}

async function start(ip: string): Promise<RunningWaypoint> {
  return (await startWith(ip)).waypoint;
}

async function startWith(ip: string): Promise<{ waypoint: RunningWaypoint; service: ApiObject }> {
  const http = await startApp(ip, 'one');
  const echo = await serveAt(ip, (socket) => socket.pipe(socket));
  const service = serviceObject([
    { name: 'http', port: 80, targetPort: http },
    { name: 'tcp', port: 90, targetPort: echo },
  ]);
  const waypoint = await startWaypointProcess([
    gatewayObject('service'),
    WAYPOINT_POD,
    serverPod(ip),
    service,
  ]);
  await untilReady(waypoint);
  return { waypoint, service };
}

test('a policy that comes reaches connections that are open, and one that goes lets them on', async () => {
  const waypoint = await start('127.0.0.41');
  const kept = await waypoint.dial(`${VIP}:80`);
  const bystander = await waypoint.dial(`${VIP}:80`, { account: 'other' });
  const bytes = await waypoint.dial(`${VIP}:90`);
  const otherBytes = await waypoint.dial(`${VIP}:90`, { account: 'other' });
  const silent = await waypoint.dial(`${VIP}:80`);
  const socket = await waypoint.dial(`${VIP}:80`);
  expect(await ask(kept)).toContain('200 OK');
  expect(await ask(bystander)).toContain('200 OK');
  for (const stream of [bytes, otherBytes]) {
    stream.write('ping');
    await readUntil(stream, 'ping');
  }
  socket.write('GET / HTTP/1.1\r\nHost: cart\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  await readUntil(socket, ' 101 ');
  socket.write('hello');
  await readUntil(socket, 'hello');

  waypoint.plane.api.put(DENY_CLIENT);
  expect(await untilEnded(bytes)).toBe(false);
  expect(await untilEnded(socket)).toBe(false);
  await eventually(async () => (await ask(kept)).includes(' 403 '));
  expect(await ask(silent)).toContain(' 403 ');
  expect(await ask(bystander)).toContain('200 OK');
  otherBytes.write('pong');
  await readUntil(otherBytes, 'pong');

  waypoint.plane.api.remove(DENY_CLIENT);
  await eventually(async () => (await ask(kept)).includes('200 OK'));
  const isLogged = (...parts: string[]): Promise<boolean> =>
    eventually(() =>
      waypoint
        .lines()
        .some((line) => ['rbac_access_denied', ...parts].every((part) => line.includes(part))),
    );
  expect(await isLogged('"- - -" 0', `${VIP}:90`)).toBe(true);
  expect(await isLogged('"GET / HTTP/1.1" 101')).toBe(true);
}, 60_000);

test('an open connection follows its route to another backend when the first one is gone', async () => {
  const waypoint = await start('127.0.0.42');
  const { api } = waypoint.plane;
  const other = await startApp('127.0.0.43', 'two');
  const stock = {
    ...serviceObject([{ name: 'http', port: 80, targetPort: other }]),
    metadata: { namespace: 'shop', name: 'stock', uid: 'stock' },
    spec: {
      selector: { app: 'stock' },
      clusterIP: '10.96.0.20',
      ports: [{ name: 'http', port: 80, targetPort: other }],
    },
  };
  const pod = serverPod('127.0.0.43');
  api.put({ ...pod, metadata: { ...pod.metadata, labels: { app: 'stock' } } });
  api.put(stock);
  const route = (backend: string) => ({
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { namespace: 'shop', name: 'r', uid: 'r' },
    spec: {
      parentRefs: [{ group: '', kind: 'Service', name: 'cart' }],
      rules: [{ backendRefs: [{ name: backend, port: 80 }] }],
    },
  });
  const kept = await waypoint.dial(`${VIP}:80`);
  api.put(route('stock'));
  await eventually(async () => (await ask(kept)).endsWith('two'));
  api.put(route('cart'));
  api.remove(stock);
  const answer = await eventually(async () => {
    const found = await ask(kept);
    return found.endsWith('one') && found;
  });
  expect(answer).toContain('200 OK');
}, 60_000);

test('a Service that loses its waypoint has its connections ended after an answer that says so', async () => {
  const waypoint = await start('127.0.0.44');
  const { api } = waypoint.plane;
  const busy = await waypoint.dial(`${VIP}:80`);
  const idle = await waypoint.dial(`${VIP}:80`);
  const silent = await waypoint.dial(`${VIP}:80`);
  const bytes = await waypoint.dial(`${VIP}:90`);
  expect(await ask(busy)).not.toContain('connection: close');
  expect(await ask(idle)).toContain('200 OK');
  bytes.write('ping');
  await readUntil(bytes, 'ping');
  api.put(serviceObject([], { 'istio.io/use-waypoint': 'none' }));
  let answer = '';
  await eventually(
    async () => {
      answer = await ask(busy);
      expect(answer).toContain('200 OK');
      return answer.includes('connection: close');
    },
    { intervalMs: 10 },
  );
  expect(await untilEnded(busy)).toBe(true);
  expect(await untilEnded(idle)).toBe(true);
  expect(await untilEnded(silent)).toBe(true);
  // Whoever speaks nevertheless is not kept waiting.
  const closed = new Promise((resolve) => silent.once('close', resolve));
  silent.write('GET / HTTP/1.1\r\nHost: cart\r\n\r\n');
  await closed;
  bytes.write('pong');
  await readUntil(bytes, 'pong');
}, 60_000);

test('who is denied stays so while a Service leaves the waypoint, and when it is made anew at another address', async () => {
  const { waypoint, service } = await startWith('127.0.0.47');
  const { api } = waypoint.plane;
  const dial = () => waypoint.dial(`${VIP}:80`);
  const [asking, kept, silent] = [await dial(), await dial(), await dial()];
  const bystander = await waypoint.dial(`${VIP}:80`, { account: 'other' });
  expect(await ask(kept)).toContain('200 OK');
  api.put(DENY_CLIENT);
  await eventually(async () => (await ask(asking)).includes(' 403 '));
  api.put(serviceObject([], { 'istio.io/use-waypoint': 'none' }));
  await eventually(async () => (await ask(bystander)).includes('connection: close'), {
    intervalMs: 10,
  });
  for (const connection of [kept, silent, await dial()])
    expect(await ask(connection)).toContain(' 403 ');

  api.remove(DENY_CLIENT);
  api.put(service);
  await eventually(async () => (await ask(await dial())).includes('200 OK'));
  const old = await dial();
  expect(await ask(old)).toContain('200 OK');
  api.remove(service);
  api.put(DENY_CLIENT);
  api.put({ ...service, spec: { ...(service.spec as object), clusterIP: '10.96.0.77' } });
  await eventually(async () => (await ask(await waypoint.dial('10.96.0.77:80'))).includes(' 403 '));
  for (const connection of [old, await dial()]) expect(await ask(connection)).toContain(' 403 ');
}, 60_000);

test('a waypoint whose Gateway was deleted serves what it has until it ends', async () => {
  const waypoint = await start('127.0.0.45');
  const { api } = waypoint.plane;
  const kept = await waypoint.dial(`${VIP}:80`);
  expect(await ask(kept)).toContain('200 OK');
  api.remove(gatewayObject('service'));
  await eventually(
    () => waypoint.plane.app.publisher.current?.served.waypoint('shop/waypoint') === null,
  );
  // As long as it takes to forget what was removed, and longer.
  const until = Date.now() + 6_500;
  while (Date.now() < until) {
    const answer = await ask(kept);
    expect(answer).toContain('200 OK');
    expect(answer).not.toContain('connection: close');
  }
  waypoint.process.kill('SIGTERM');
  await eventually(async () => (await ask(kept)).includes('connection: close'), { intervalMs: 10 });
  expect(await untilEnded(kept)).toBe(true);
}, 60_000);

test('requests and connections of another version of a workload are counted as that version', async () => {
  const waypoint = await start('127.0.0.46');
  for (const version of ['v1', 'v2']) {
    const baggage = `k8s.namespace.name=shop,k8s.deployment.name=client,service.name=client,service.version=${version}`;
    const request = await waypoint.dial(`${VIP}:80`, { headers: { baggage } });
    expect(await ask(request)).toContain('200 OK');
    const bytes = await waypoint.dial(`${VIP}:90`, { headers: { baggage } });
    bytes.write('ping');
    await readUntil(bytes, 'ping');
  }
  const { body } = await waypoint.get('stats', '/stats/prometheus');
  for (const name of ['istio_requests_total', 'istio_tcp_connections_opened_total']) {
    for (const version of ['v1', 'v2']) {
      expect(body).toMatch(new RegExp(`${name}\\{.*source_version="${version}".*\\} 1\n`));
    }
  }
}, 60_000);
