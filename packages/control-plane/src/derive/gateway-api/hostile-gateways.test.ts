/** What one object of the Gateway API does to others, whatever somebody wrote into it. */
import { RouteConfigurationSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { fromBinary } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { TestCluster, type TestObject } from '../derivation.fixture.ts';
import { base, FROM_ALL, FRONT, gateway, object, servedToFront } from './gateway-api.fixture.ts';
import type { GatewayListener } from './gateway-listener.ts';
import { listenerConflicts } from './listener-conflicts.ts';

const HTTP = { name: 'web', port: 80, protocol: 'HTTP', ...FROM_ALL };
const MODE = 'gateway.istio.io/tls-terminate-mode';
const LETS_IN = { allowedListeners: { namespaces: { from: 'All' } } };
/** What every object of JavaScript has. */
const INHERITED = ['constructor', 'toString', '__proto__'];

function set(key: string, parent: string, listeners: readonly object[]): TestObject {
  const spec = { parentRef: { name: parent, namespace: 'edge' }, listeners };
  return object('ListenerSet', key, spec);
}

function route(key: string, parent: object): TestObject {
  const rules = [{ backendRefs: [{ name: 'cart', namespace: 'shop', port: 80 }] }];
  return object('HTTPRoute', key, { parentRefs: [parent], rules });
}

function domainsOf(cluster: TestCluster): string[] {
  const { bytes } = servedToFront(cluster).routes.get('http.80')!;
  return fromBinary(RouteConfigurationSchema, bytes).virtualHosts.flatMap(({ domains }) => domains);
}

function listenersOf(cluster: TestCluster): readonly GatewayListener[] {
  return cluster.derivation.routing.gatewayApi.gateways.get('edge/front')!.listeners;
}

test.for(INHERITED)(
  'a ListenerSet with protocol %s does not stop the Gateway that lets it in',
  (protocol) => {
    const cluster = new TestCluster([
      ...base(),
      gateway([HTTP], LETS_IN),
      set('shop/odd', 'front', [{ ...HTTP, name: 'odd', protocol }]),
      route('shop/r', FRONT),
    ]);
    expect(listenersOf(cluster).map(({ problems }) => problems.Accepted?.reason)).toEqual([
      undefined,
      'UnsupportedProtocol',
    ]);
    expect(domainsOf(cluster)).toEqual(['*']);
  },
);

test.for(INHERITED)('a listener with %s for what TLS asks of clients is refused', (mode) => {
  const tls = { options: { [MODE]: mode }, certificateRefs: [{ name: 'own' }] };
  const https = { ...HTTP, port: 443, protocol: 'HTTPS', tls };
  const [listener] = listenersOf(new TestCluster([...base([443]), gateway([https])]));
  expect(listener).toMatchObject({
    tls: null,
    problems: { ResolvedRefs: { reason: 'UnsupportedValue' } },
  });
});

test.for(INHERITED)('a selector that asks for label %s lets in no namespace without it', (key) => {
  const selector = { matchExpressions: [{ key, operator: 'Exists' }] };
  const allowedRoutes = { namespaces: { from: 'Selector', selector } };
  const cluster = new TestCluster([
    ...base(),
    gateway([{ ...HTTP, allowedRoutes }]),
    route('shop/r', FRONT),
  ]);
  expect(domainsOf(cluster)).toEqual(['*']);
  const { routeParents } = cluster.derivation.routing.gatewayApi;
  expect(routeParents.get('HTTPRoute/shop/r')?.parents[0]?.denial?.reason).toBe(
    'NotAllowedByListeners',
  );
});

test('a Gateway does not serve the routes of a ListenerSet of its name that is another Gateway’s, nor that one its own', () => {
  const cluster = new TestCluster([
    ...base(),
    gateway([{ ...HTTP, hostname: 'own.test' }]),
    object('Gateway', 'edge/other', { gatewayClassName: 'istio', listeners: [], ...LETS_IN }),
    set('edge/front', 'other', [{ ...HTTP, hostname: 'set.test' }]),
    route('shop/of-set', { ...FRONT, kind: 'ListenerSet' }),
  ]);
  expect(domainsOf(cluster)).toEqual(['*']);
  cluster.put(route('shop/of-gateway', FRONT));
  expect(domainsOf(cluster)).toEqual(['own.test']);
});

test('a ListenerSet of the name of its own Gateway adds to it, and takes nothing from it', () => {
  const cluster = new TestCluster([
    ...base([80, 81]),
    gateway([{ ...HTTP, hostname: 'own.test' }], LETS_IN),
    set('edge/front', 'front', [{ ...HTTP, port: 81, hostname: 'set.test' }]),
    route('shop/of-gateway', FRONT),
    route('shop/of-set', { ...FRONT, kind: 'ListenerSet' }),
  ]);
  const { routes } = servedToFront(cluster);
  const tables = Array.from(routes.values(), ({ name, bytes }) => [
    name,
    fromBinary(RouteConfigurationSchema, bytes).virtualHosts.flatMap(({ domains }) => domains),
  ]);
  expect(Object.fromEntries(tables)).toEqual({ 'http.80': ['own.test'], 'http.81': ['set.test'] });
});

test('conflicts among 64,000 listeners, as a thousand ListenerSets may have, are found at once', () => {
  const listeners = Array.from({ length: 64_000 }, (_, i) => ({
    port: 80,
    protocol: 'HTTP',
    hostname: `h${i % 63_999}.test`,
  }));
  const started = performance.now();
  const conflicts = listenerConflicts(listeners);
  expect(conflicts.filter((found) => found !== null)).toHaveLength(1);
  expect(performance.now() - started).toBeLessThan(2_000);
});

test.for(INHERITED)(
  'a Gateway of Istio with %s for a version of TLS is served all the same',
  (version) => {
    const tls = { mode: 'SIMPLE', credentialName: 'own', minProtocolVersion: version };
    const port = { number: 443, name: 'https', protocol: 'HTTPS' };
    const spec = {
      selector: { 'gateway.networking.k8s.io/gateway-name': 'front' },
      servers: [{ port, hosts: ['*'], tls }],
    };
    const istio = {
      ...object('Gateway', 'edge/istio', spec),
      apiVersion: 'networking.istio.io/v1',
    };
    const { listeners } = servedToFront(new TestCluster([...base([443]), istio]));
    expect(Array.from(listeners.values(), ({ name }) => name)).toContain('0.0.0.0_443');
  },
);
