import type { HTTPRoute } from '@aquifer/model/resources';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { type JsonObject, toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { messageRegistry } from '../../../../../test/fixtures/message-registry.ts';
import { MESH, type TestObject } from '../derivation.fixture.ts';
import { rulesOfRoutes } from '../routing/gateway-rules.ts';
import { envoyRoute } from './envoy-route.ts';
import { deriveWaypoint, recordedObjects } from './recorded-waypoint.fixture.ts';

const registry = await messageRegistry();
const BASE = recordedObjects('05-gamma-filters').filter(({ kind }) => kind !== 'HTTPRoute');
const CART = { group: '', kind: 'Service', name: 'cart', port: 80 };
const TO_CART = { backendRefs: [{ name: 'cart', port: 80 }] };

const EXTENSION = { type: 'ExtensionRef', extensionRef: { group: 'x', kind: 'T', name: 't' } };
const EXTENDED = { name: 'stock', port: 80, filters: [EXTENSION] };

type Json = JsonObject & { readonly name?: string };

function httpRoute(rules: unknown, namespace = 'shop', parent: object = CART): TestObject {
  const spec = { parentRefs: [parent], rules };
  return { kind: 'HTTPRoute', metadata: { namespace, name: 'r' }, spec };
}

function grpcRoute(rules: unknown): TestObject {
  return {
    kind: 'GRPCRoute',
    metadata: { namespace: 'shop', name: 'g' },
    spec: { parentRefs: [CART], rules },
  };
}

/** The routes of cart's port, as JSON. */
function routesOf(...objects: TestObject[]): Json[] {
  const { listeners } = deriveWaypoint([...BASE, ...objects]);
  const main = toJson(ListenerSchema, listeners.get('main_internal')!.value, { registry });
  const text = JSON.stringify(main, (key, value) => {
    if (key !== 'filterChains') return value;
    return value.find(
      ({ name }: Json) => name === 'inbound-vip|80|http|cart.shop.svc.cluster.local',
    );
  });
  const [manager] = JSON.parse(text).filterChains.filters;
  return manager.typedConfig.routeConfig.virtualHosts[0].routes;
}

function onlyRoute(rule: object): Json {
  const [route] = routesOf(httpRoute([rule]));
  return route!;
}

const rewrite = (value: string, replacePrefixMatch: string) => ({
  ...TO_CART,
  matches: [{ path: { type: 'PathPrefix', value } }],
  filters: [
    {
      type: 'URLRewrite',
      urlRewrite: { path: { type: 'ReplacePrefixMatch', replacePrefixMatch } },
    },
  ],
});
const redirect = (requestRedirect: object) => ({
  filters: [{ type: 'RequestRedirect', requestRedirect }],
});

test.for([
  {
    what: 'retries codes, and with any stanza also resets, backing off from the given delay',
    rule: { ...TO_CART, retry: { codes: [503], attempts: 3, backoff: '100ms' } },
    expected: {
      timeout: '0s',
      retryPolicy: {
        numRetries: 3,
        retriableStatusCodes: [503],
        retryBackOff: { baseInterval: '0.100s' },
        retryOn:
          'connect-failure,refused-stream,unavailable,cancelled,reset,retriable-status-codes',
      },
    },
  },
  {
    what: 'bounds each attempt and the whole where both timeouts are set',
    rule: { ...TO_CART, retry: {}, timeouts: { request: '1m5s', backendRequest: '500ms' } },
    expected: { timeout: '65s', retryPolicy: { numRetries: 2, perTryTimeout: '0.500s' } },
  },
  {
    what: 'does not retry with zero attempts',
    rule: { ...TO_CART, retry: { attempts: 0 }, timeouts: { backendRequest: '2s' } },
    expected: { timeout: '2s' },
    absent: 'retryPolicy',
  },
  {
    what: 'replaces the root prefix without losing the slash',
    rule: rewrite('/', '/xyz'),
    expected: { prefixRewrite: '/xyz/' },
  },
  {
    what: 'replaces a prefix by another',
    rule: rewrite('/foo/', '/xyz/'),
    expected: { prefixRewrite: '/xyz' },
    absent: 'regexRewrite',
  },
])('a route $what', ({ rule, expected, absent = 'directResponse' }) => {
  const { route } = onlyRoute(rule);
  expect(route).toMatchObject(expected);
  expect(route).not.toHaveProperty(absent);
});

test.for([
  {
    what: 'to the well-known port of its scheme',
    given: { scheme: 'https', port: 443 },
    port: undefined,
  },
  { what: 'to another port', given: { scheme: 'https', port: 8443 }, port: 8443 },
])('a redirect $what says the port only if it must', ({ given, port }) => {
  const { redirect: found } = onlyRoute(redirect(given));
  expect(found).toEqual({
    pathRedirect: '',
    schemeRedirect: 'https',
    responseCode: 'FOUND',
    ...(port !== undefined && { portRedirect: port }),
  });
});

test.for([
  { what: 'names nothing', given: { hostname: 'a.test' }, port: 8080 },
  { what: 'names the port of http', given: { port: 80 }, port: 0 },
  { what: 'names a scheme only', given: { scheme: 'http' }, port: 0 },
])('on port 8080 a redirect that $what leads to port $port', ({ given, port }) => {
  const [rule] = rulesOfRoutes([httpRoute([redirect(given)]) as unknown as HTTPRoute], MESH);
  const target = {
    port: 8080,
    origin: { namespace: 'shop', name: 'cart' },
    clusterOf: () => ({ name: '', authority: null }),
    hashOf: () => null,
  };
  const { action } = envoyRoute(rule!, target);
  expect(action).toMatchObject({ case: 'redirect', value: { portRedirect: port } });
});

test('headers are told by name, and a Host that is set is a rewrite', () => {
  const requestHeaderModifier = {
    set: [
      { name: 'X-B', value: '1' },
      { name: 'Host', value: 'inner.test' },
      { name: 'x-a', value: '2' },
    ],
    remove: ['host', 'x-c'],
  };
  const filters = [{ type: 'RequestHeaderModifier', requestHeaderModifier }];
  expect(onlyRoute({ ...TO_CART, filters })).toMatchObject({
    requestHeadersToAdd: [{ header: { key: 'x-a' } }, { header: { key: 'x-b' } }],
    requestHeadersToRemove: ['x-c'],
    route: { hostRewriteLiteral: 'inner.test' },
  });
});

test('a redirect that takes a prefix away leaves one slash', () => {
  const { redirect: found } = onlyRoute({
    matches: [{ path: { type: 'PathPrefix', value: '/v1.0' } }],
    ...redirect({ path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/' } }),
  });
  expect(found).toMatchObject({
    regexRewrite: { pattern: { regex: '^/v1\\.0(/?)(.*)' }, substitution: '/\\2' },
  });
});

test('a filter that nothing here can run answers 500 instead of being skipped', () => {
  const filters = [{ type: 'ExtensionRef', extensionRef: { group: 'x', kind: 'T', name: 't' } }];
  expect(onlyRoute({ ...TO_CART, filters })).toMatchObject({ directResponse: { status: 500 } });
});

test('a pattern that cannot be read costs its own match, not the listener', () => {
  const matches = [{ path: { type: 'RegularExpression', value: '/(' } }, { method: 'GET' }];
  expect(routesOf(httpRoute([{ ...TO_CART, matches }]))).toMatchObject([
    { match: { headers: [{ name: ':method' }] } },
  ]);
});

test('filters of one backend change the requests of that backend only', () => {
  const requestHeaderModifier = { set: [{ name: 'X-To', value: 'stock' }], remove: ['x-old'] };
  const stock = {
    name: 'stock',
    port: 80,
    weight: 3,
    filters: [{ type: 'RequestHeaderModifier', requestHeaderModifier }],
  };
  const { route, requestHeadersToAdd } = onlyRoute({
    backendRefs: [{ name: 'cart', port: 80 }, stock],
  });
  expect(requestHeadersToAdd).toBeUndefined();
  expect(route).toMatchObject({
    weightedClusters: {
      clusters: [
        { name: 'inbound-vip|80|http|cart.shop.svc.cluster.local', weight: 1 },
        {
          name: 'inbound-vip|80|http|stock.shop.svc.cluster.local',
          weight: 3,
          requestHeadersToAdd: [{ header: { key: 'x-to', value: 'stock' } }],
          requestHeadersToRemove: ['x-old'],
        },
      ],
    },
  });
});

test.for([
  {
    what: 'of a namespace that owns neither',
    route: httpRoute([TO_CART], 'far', { ...CART, namespace: 'shop' }),
  },
  { what: 'for another port', route: httpRoute([TO_CART], 'shop', { ...CART, port: 81 }) },
])('a route $what leaves the default route', ({ route }) => {
  expect(routesOf(route).map(({ name }) => name)).toEqual(['default']);
});

test.for([
  { name: 'Content-Length', value: '3' },
  { name: 'transfer-encoding', value: 'chunked' },
  { name: 'x-broken', value: 'a\r\nb' },
])(
  'a rule that sets $name to what no proxy takes answers 500, and the header reaches none',
  (header) => {
    const both = [
      { type: 'RequestHeaderModifier', requestHeaderModifier: { set: [header] } },
      { type: 'ResponseHeaderModifier', responseHeaderModifier: { add: [header] } },
    ];
    for (const filter of both) {
      const route = onlyRoute({ ...TO_CART, filters: [filter] });
      expect(route).toMatchObject({ directResponse: { status: 500 } });
      expect(JSON.stringify(route)).not.toContain(header.name.toLowerCase());
    }
  },
);

test('an HTTPRoute and a GRPCRoute of one port are both served, the more specific rule first', () => {
  const http = httpRoute([
    { ...TO_CART, matches: [{ path: { type: 'Exact', value: '/health' } }] },
    { ...TO_CART, matches: [{ path: { type: 'RegularExpression', value: '/v.' } }] },
  ]);
  const grpc = grpcRoute([
    { ...TO_CART, matches: [{ headers: [{ name: 'x-v', value: '2' }] }] },
    { ...TO_CART, matches: [{ method: { service: 'shop.Cart', method: 'Add' } }] },
    { ...TO_CART, matches: [{ method: { service: 'shop.Cart' } }] },
  ]);
  expect(routesOf(http, grpc).map(({ name }) => name)).toEqual([
    'shop.g.1',
    'shop.r.0',
    'shop.g.2',
    'shop.r.1',
    'shop.g.0',
  ]);
});

test('a GRPCRoute mirrors, weighs and changes headers as an HTTPRoute does', () => {
  const rule = {
    filters: [
      { type: 'RequestMirror', requestMirror: { backendRef: { name: 'stock', port: 80 } } },
      {
        type: 'ResponseHeaderModifier',
        responseHeaderModifier: { set: [{ name: 'x-a', value: '1' }] },
      },
    ],
    backendRefs: [
      { name: 'cart', port: 80, weight: 9 },
      { name: 'stock', port: 80 },
    ],
  };
  expect(routesOf(grpcRoute([rule]))).toEqual(
    routesOf(httpRoute([rule])).map((route) => ({ ...route, name: 'shop.g.0' })),
  );
});

test('a GRPCRoute without rules leaves the default route', () => {
  expect(routesOf(grpcRoute([])).map(({ name }) => name)).toEqual(['default']);
});

test.for([
  { what: 'a redirect', rule: redirect({ hostname: 'a.test' }) },
  { what: 'one backend of two', rule: { backendRefs: [...TO_CART.backendRefs, EXTENDED] } },
])('a filter that nothing here can run fails $what too', ({ rule }) => {
  const filters = 'filters' in rule ? [...rule.filters, EXTENSION] : [];
  expect(onlyRoute({ ...rule, filters })).toMatchObject({ directResponse: { status: 500 } });
});
