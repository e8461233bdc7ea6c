import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { type JsonObject, toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { messageRegistry } from '../../../../../test/fixtures/message-registry.ts';
import type { TestObject } from '../derivation.fixture.ts';
import { deriveWaypoint, recordedObjects } from './recorded-waypoint.fixture.ts';

const registry = await messageRegistry();
/** A waypoint for cart (port 80 of HTTP, 81 of TCP). */
const BASE = recordedObjects('17-dr-waypoint').filter(
  ({ kind }) => kind !== 'VirtualService' && kind !== 'DestinationRule',
);

function object(kind: string, key: string, spec: object, second = 0): TestObject {
  const [namespace = '', name = ''] = key.split('/');
  const creationTimestamp = `2026-01-01T00:00:${String(second).padStart(2, '0')}Z`;
  const metadata = { namespace, name, creationTimestamp } as TestObject['metadata'];
  return { kind, metadata, spec };
}

function virtualService(key: string, spec: object, second = 0): TestObject {
  return object('VirtualService', key, { hosts: ['cart.shop.svc.cluster.local'], ...spec }, second);
}

const to = (prefix: string, host = 'cart.shop.svc.cluster.local') => ({
  name: prefix.slice(1),
  match: [{ uri: { prefix } }],
  route: [{ destination: { host, port: { number: 80 } } }],
});

interface Chain extends JsonObject {
  readonly name: string;
  readonly filters: { readonly typedConfig: JsonObject }[];
}

function chainOf(name: string, objects: readonly TestObject[]): JsonObject {
  const { listeners } = deriveWaypoint([...BASE, ...objects]);
  const main = toJson(ListenerSchema, listeners.get('main_internal')!.value, { registry });
  const { filterChains } = main as unknown as { readonly filterChains: readonly Chain[] };
  return filterChains.find((chain) => chain.name === name)!.filters.at(-1)!.typedConfig;
}

interface NamedRoute extends JsonObject {
  readonly name: string;
}

function routesOf(...objects: TestObject[]): readonly NamedRoute[] {
  const manager = chainOf('inbound-vip|80|http|cart.shop.svc.cluster.local', objects);
  const { routeConfig } = manager as unknown as {
    readonly routeConfig: { readonly virtualHosts: { readonly routes: NamedRoute[] }[] };
  };
  return routeConfig.virtualHosts[0]!.routes;
}

const namesOf = (...objects: TestObject[]): string[] =>
  routesOf(...objects).map(({ name }) => name);

test('of two VirtualServices of one host both are followed, the older first (P127, L050)', () => {
  const younger = virtualService('shop/a', { http: [to('/route-a')] }, 2);
  const older = virtualService('shop/b', { http: [to('/route-b')] }, 1);
  expect(namesOf(younger, older)).toEqual(['route-b', 'route-a']);
});

test.for([
  { what: 'of another namespace', key: 'far/x', spec: {} },
  { what: 'for gateways only', key: 'shop/x', spec: { gateways: ['edge/gw'] } },
  { what: 'that nobody is to see', key: 'shop/x', spec: { exportTo: ['~'] } },
  { what: 'of another host', key: 'shop/x', spec: { hosts: ['stock'] } },
  { what: 'with a pattern that is no suffix', key: 'shop/x', spec: { hosts: ['*.far.svc'] } },
  {
    what: 'whose blocks are all for others',
    key: 'shop/x',
    spec: { http: [{ ...to('/x'), match: [{ sourceLabels: { app: 'web' } }] }] },
  },
])('a VirtualService $what leaves the default route', ({ key, spec }) => {
  expect(namesOf(virtualService(key, { http: [to('/x')], ...spec }))).toEqual(['default']);
});

test.for([
  { hosts: ['cart'] },
  { hosts: ['CART.shop.svc.cluster.local'] },
  { hosts: ['*.shop.svc.cluster.local'] },
  { hosts: ['*'] },
])('a VirtualService for $hosts is for cart', ({ hosts }) => {
  expect(namesOf(virtualService('shop/x', { hosts, http: [to('/x')] }))).toEqual(['x']);
});

test('rules of an HTTPRoute are tried before those of a VirtualService', () => {
  const route = object('HTTPRoute', 'shop/r', {
    parentRefs: [{ group: '', kind: 'Service', name: 'cart' }],
    rules: [
      {
        name: 'gateway',
        matches: [{ path: { type: 'PathPrefix', value: '/x' } }],
        backendRefs: [{ name: 'cart', port: 80 }],
      },
    ],
  });
  expect(namesOf(virtualService('shop/x', { http: [to('/x')] }), route)).toEqual(['gateway', 'x']);
});

test('a delegate fills in what its parent leaves to it, as far as the two can both hold (L051)', () => {
  const parent = virtualService('shop/p', {
    http: [
      {
        name: 'parts',
        match: [{ uri: { prefix: '/parts' } }],
        timeout: '3s',
        delegate: { namespace: 'parts', name: 'child' },
      },
      { ...to('/gone'), delegate: { namespace: 'parts', name: 'gone' }, route: undefined },
    ],
  });
  const child = object('VirtualService', 'parts/child', {
    http: [
      { ...to('/parts/new'), name: 'new' },
      { ...to('/other'), name: 'outside' },
    ],
  });
  expect(routesOf(parent, child)).toMatchObject([
    { name: 'parts-new', match: { prefix: '/parts/new' }, route: { timeout: '3s' } },
  ]);
  const hidden = { ...child, spec: { ...(child.spec as object), exportTo: ['.'] } };
  expect(namesOf(parent, hidden)).toEqual(['default']);
});

test('a route that no proxy can follow answers 500, and costs no other route anything', () => {
  const broken = { ...to('/b'), rewrite: { uriRegexRewrite: { match: '(', rewrite: '/' } } };
  expect(routesOf(virtualService('shop/x', { http: [broken, to('/a')] }))).toMatchObject([
    { name: 'b', directResponse: { status: 500 } },
    { name: 'a', route: {} },
  ]);
});

test('requests to a service that hashes them are hashed without any rule for them', () => {
  const rule = object('DestinationRule', 'shop/cart', {
    host: 'cart',
    trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: 'x-user' } } },
  });
  const [route] = routesOf(rule);
  expect(route).toMatchObject({ route: { hashPolicy: [{ header: { headerName: 'x-user' } }] } });
  expect(route).not.toHaveProperty('route.retryPolicy.retryHostPredicate');
});

const TCP = 'inbound-vip|81|tcp|cart.shop.svc.cluster.local';

test.for([
  {
    what: 'go by weight',
    tcp: [
      {
        route: [
          { destination: { host: 'cart', subset: 'v1' }, weight: 3 },
          { destination: { host: 'cart', subset: 'v2' }, weight: 1 },
          { destination: { host: 'cart' }, weight: 0 },
        ],
      },
    ],
    expected: {
      weightedClusters: {
        clusters: [
          { name: 'inbound-vip|81|tcp/v1|cart.shop.svc.cluster.local', weight: 3 },
          { name: 'inbound-vip|81|tcp/v2|cart.shop.svc.cluster.local', weight: 1 },
        ],
      },
    },
  },
  {
    what: 'go where the route for their port says',
    tcp: [
      { match: [{ port: 82 }], route: [{ destination: { host: 'cart' } }] },
      { match: [{ port: 81 }], route: [{ destination: { host: 'cart', subset: 'v1' } }] },
    ],
    expected: { cluster: 'inbound-vip|81|tcp/v1|cart.shop.svc.cluster.local' },
  },
  { what: 'go to the service without a route', tcp: [], expected: { cluster: TCP } },
])('connections of TCP $what', ({ tcp, expected }) => {
  expect(chainOf(TCP, [virtualService('shop/x', { tcp })])).toMatchObject(expected);
});
