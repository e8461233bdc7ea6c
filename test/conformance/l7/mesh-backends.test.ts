import { once } from 'node:events';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { expect, onTestFinished, test } from 'vitest';
import { routeObject, serveDerived, serviceOf } from '../../fixtures/derived-waypoint.ts';
import { startOrigin } from '../../fixtures/echo-origin.ts';
import { ask } from '../../fixtures/http-asking.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';
import { backend, startShop, VIPS } from './shop.ts';

/** What the backends of HTTPRoutes are, from the object to the origin. */

test.for<[what: string, rule: object]>([
  ['no backends (L084)', {}],
  ['a backend that is not there (L085, L127)', backend('nonexistent')],
  ['only a backend without weight (L084)', backend('v1', { weight: 0 })],
  ['a backend of another kind (L127)', backend('v1', { kind: 'Secret' })],
])('a rule with %s answers 500', async ([, rule]) => {
  const shop = await startShop([routeObject('HTTPRoute', [rule])]);
  const { status } = await shop.ask('/');
  expect(status).toBe(500);
});

test('a backend that is not there fails its share of the requests, and no more (L085)', async () => {
  const backendRefs = [
    { name: 'v1', port: 80 },
    { name: 'nonexistent', port: 80 },
  ];
  const shop = await startShop([routeObject('HTTPRoute', [{ backendRefs }])]);
  const answers = new Set<string | number>();
  for (let i = 0; i < 40; i++) answers.add(await shop.answers('/'));
  expect(answers).toEqual(new Set(['v1', 500]));
});

const port = (name: string, appProtocol: string) => [{ port: 80, name, appProtocol }];

test('a port of HTTP/2 is spoken to so, whatever the client speaks (L102)', async () => {
  const origin = await startOrigin('cart', { ip: '127.0.0.83', version: '2.0' });
  const waypoint = serveDerived(
    serviceOf('cart', VIPS.cart, origin, port('web', 'kubernetes.io/h2c')),
  );
  const { seen } = await ask(await waypoint.portTo({ ip: VIPS.cart, port: 80 }), '/');
  expect(seen?.version).toBe('2.0');
});

test('a port of WebSocket takes WebSockets (L102)', async () => {
  const server = createServer().listen(0, '127.0.0.84');
  server.on('upgrade', (_request, socket: Duplex) => {
    socket.on('error', () => undefined);
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
    );
    socket.on('data', (bytes: Buffer) => socket.end(`echo ${String(bytes)}`));
  });
  await once(server, 'listening');
  onTestFinished(() => void server.close());
  const origin = { ip: '127.0.0.84', port: (server.address() as AddressInfo).port };
  const waypoint = serveDerived(
    serviceOf('cart', VIPS.cart, origin, port('web', 'kubernetes.io/ws')),
  );
  const at = await waypoint.portTo({ ip: VIPS.cart, port: 80 });
  const headers = { host: 'cart', connection: 'Upgrade', upgrade: 'websocket' };
  const sent = request({ port: at, host: '127.0.0.1', path: '/ws', headers }).end();
  const [{ statusCode }, socket] = (await once(sent, 'upgrade')) as [
    { statusCode: number },
    Duplex,
  ];
  expect(statusCode).toBe(101);
  socket.write('hello');
  const [bytes] = (await once(socket, 'data')) as [Buffer];
  expect(String(bytes)).toBe('echo hello');
  socket.destroy();
});

test('a backend may be headless, or have the endpoints that somebody wrote for it (L103)', async () => {
  const cart = await startOrigin('cart', { ip: '127.0.0.87' });
  const headless = await startOrigin('headless', { ip: '127.0.0.85' });
  const manual = await startOrigin('manual', { ip: '127.0.0.86' });
  const service: ApiObject = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'shop', name: 'manual', uid: 'manual' },
    spec: {
      clusterIP: '10.96.0.14',
      ports: [{ name: 'http', port: 80, targetPort: manual.port }],
    },
  };
  const labels = { 'kubernetes.io/service-name': 'manual' };
  const slice: ApiObject = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { namespace: 'shop', name: 'manual-1', uid: 'slice', labels },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: manual.port, protocol: 'TCP' }],
    endpoints: [{ addresses: [manual.ip], conditions: { ready: true } }],
  };
  const leadsTo = (name: string) => ({
    matches: [{ path: { type: 'Exact', value: `/${name}` } }],
    ...backend(name),
  });
  const waypoint = serveDerived([
    ...serviceOf('cart', VIPS.cart, cart),
    ...serviceOf('headless', 'None', headless),
    service,
    slice,
    routeObject('HTTPRoute', [leadsTo('headless'), leadsTo('manual')]),
  ]);
  const at = await waypoint.portTo({ ip: VIPS.cart, port: 80 });
  for (const name of ['headless', 'manual']) {
    expect((await ask(at, `/${name}`)).seen?.origin).toBe(name);
  }
});

test('what is outside is reached by its waypoint, and told nothing of who asks (L174, L187)', async () => {
  const origin = await startOrigin('outside', { ip: '127.0.0.86' });
  const waypoint = serveDerived([
    {
      apiVersion: 'networking.istio.io/v1',
      kind: 'ServiceEntry',
      metadata: { namespace: 'shop', name: 'outside', uid: 'entry' },
      spec: {
        hosts: ['api.example.com'],
        addresses: ['10.97.0.1'],
        location: 'MESH_EXTERNAL',
        resolution: 'STATIC',
        ports: [{ number: 80, name: 'http', protocol: 'HTTP', targetPort: origin.port }],
        endpoints: [{ address: origin.ip }],
      },
    },
  ]);
  const { seen } = await ask(await waypoint.portTo({ ip: '10.97.0.1', port: 80 }), '/a', {
    headers: { host: 'api.example.com' },
  });
  expect(seen).toMatchObject({ origin: 'outside', path: '/a', host: 'api.example.com' });
  expect(
    Object.keys(seen?.headers ?? {}).filter((name) => /peer|baggage|client-cert/.test(name)),
  ).toEqual([]);
});
