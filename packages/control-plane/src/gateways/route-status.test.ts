import { readFileSync } from 'node:fs';
import type { HTTPRoute } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { TestCluster, valuesOf } from '../derive/derivation.fixture.ts';
import { deriveRouteParents } from './route-status.ts';

const GOLDEN = new URL('../../../../test/fixtures/golden/l7/', import.meta.url);
const MESH = {
  clusterId: 'Kubernetes',
  clusterDomain: 'cluster.local',
  hasHost: (hostname: string) => hostname === 'api.out.test',
};

function read(file: string): unknown {
  return JSON.parse(readFileSync(new URL(file, GOLDEN), 'utf8'));
}

function clusterOf(...objects: readonly { readonly kind: string }[]) {
  return new TestCluster(objects).derivation.cluster;
}

const RECORDED = [
  '04-gamma-match-precedence',
  '05-gamma-filters',
  '06-gamma-grpcroute-timeouts',
  '07-gamma-status',
].flatMap((name) => {
  const { derivation } = new TestCluster(read(`${name}/objects.json`) as { kind: string }[]);
  const statuses = read(`${name}/status.json`) as Record<string, HTTPRoute['status']>;
  return valuesOf(derivation.waypoints.routes).map((route) => {
    const key = `${route.kind}/shop/${route.metadata.name}`;
    const { cluster } = derivation;
    return { name, key, route, cluster, recorded: statuses[key]?.parents ?? [] };
  });
});

test.for(RECORDED)(
  '$key of $name gets the recorded parents (P132)',
  ({ route, cluster, recorded }) => {
    const derived = deriveRouteParents(route, cluster, MESH);
    expect(derived).toEqual(
      recorded.map(({ parentRef, conditions = [] }) => ({
        parentRef,
        conditions: conditions.map(({ observedGeneration: _generation, ...text }) => text),
      })),
    );
  },
);

test.for([
  { label: undefined, message: 'use-waypoint label missing' },
  { label: 'None', message: 'use-waypoint label missing' },
  { label: 'not-there', message: 'All waypoints resolved' },
])('a route whose parent has the waypoint label $label says: $message', ({ label, message }) => {
  const labels = label === undefined ? {} : { 'istio.io/use-waypoint': label };
  const service = { kind: 'Service', metadata: { namespace: 'shop', name: 'cart', labels } };
  const route = {
    metadata: { namespace: 'shop', name: 'r' },
    spec: { parentRefs: [{ group: '', kind: 'Service', name: 'cart' }] },
  } as HTTPRoute;
  const [parent] = deriveRouteParents(route, clusterOf(service), MESH);
  expect(parent?.conditions.at(-1)).toMatchObject({
    type: 'ResolvedWaypoints',
    status: 'True',
    message: expect.stringContaining(message),
  });
});

test('parents are listed from the end of the alphabet, and a backend without weight is no problem', () => {
  const parent = (name: string) => ({ group: '', kind: 'Service', name });
  const route = {
    metadata: { namespace: 'shop', name: 'r' },
    spec: {
      parentRefs: [parent('a'), parent('c'), parent('b')],
      rules: [{ backendRefs: [{ name: 'not-there', port: 80, weight: 0 }] }],
    },
  } as HTTPRoute;
  const parents = deriveRouteParents(route, clusterOf(), MESH);
  expect(parents.map(({ parentRef }) => parentRef.name)).toEqual(['c', 'b', 'a']);
  expect(parents[0]?.conditions[1]).toMatchObject({ type: 'ResolvedRefs', status: 'True' });
});

const TO_CART = { name: 'cart', port: 80 };

/** What `ResolvedRefs` says of a route with one rule. */
function resolvedRefs(kind: string, rule: object) {
  const parentRefs = [{ group: '', kind: 'Service', name: 'cart' }];
  const metadata = { namespace: 'shop', name: 'r' };
  const route = { kind, metadata, spec: { parentRefs, rules: [rule] } } as unknown as HTTPRoute;
  const [parent] = deriveRouteParents(route, clusterOf(), MESH);
  return parent?.conditions.find(({ type }) => type === 'ResolvedRefs');
}

test('a rule that sets a header which is not for a route to set is an invalid filter, and named', () => {
  const requestHeaderModifier = { set: [{ name: 'Content-Length', value: '3' }] };
  const filters = [{ type: 'RequestHeaderModifier', requestHeaderModifier }];
  expect(resolvedRefs('HTTPRoute', { filters })).toEqual({
    type: 'ResolvedRefs',
    status: 'False',
    reason: 'InvalidFilter',
    message: 'header "Content-Length" is not for a route to set',
  });
});

test.for([
  {
    what: 'a gRPC filter of somebody else',
    kind: 'GRPCRoute',
    rule: { filters: [{ type: 'ExtensionRef' }], backendRefs: [TO_CART] },
    message: 'unsupported filter type "ExtensionRef"',
  },
  {
    what: 'a mirror of one backend',
    kind: 'HTTPRoute',
    rule: { backendRefs: [{ ...TO_CART, filters: [{ type: 'RequestMirror' }] }] },
    message: 'unsupported filter type "RequestMirror" of a backend',
  },
])('$what is an invalid filter, and named', ({ kind, rule, message }) => {
  expect(resolvedRefs(kind, rule)).toMatchObject({ reason: 'InvalidFilter', message });
});

test.for([
  { type: 'RequestHeaderModifier', requestHeaderModifier: { remove: ['x-a'] } },
  { type: 'ResponseHeaderModifier', responseHeaderModifier: { remove: ['x-a'] } },
  { type: 'RequestMirror', requestMirror: { backendRef: TO_CART } },
  { type: 'RequestRedirect', requestRedirect: { hostname: 'a.test' } },
  { type: 'URLRewrite', urlRewrite: { hostname: 'a.test' } },
  { type: 'CORS', cors: { allowOrigins: ['*'] } },
])('a filter of type $type is no problem', (filter) => {
  expect(resolvedRefs('HTTPRoute', { filters: [filter] })).toMatchObject({ status: 'True' });
});

test('an entry is a parent, and a host of one a backend', () => {
  const entry = { kind: 'ServiceEntry', metadata: { namespace: 'shop', name: 'out' } };
  const backend = { group: 'networking.istio.io', kind: 'Hostname', port: 80 };
  const route = (name: string) =>
    ({
      metadata: { namespace: 'shop', name: 'r' },
      spec: {
        parentRefs: [{ group: 'networking.istio.io', kind: 'ServiceEntry', name: 'out' }],
        rules: [{ backendRefs: [{ ...backend, name }] }],
      },
    }) as HTTPRoute;
  const reasons = (name: string) =>
    deriveRouteParents(route(name), clusterOf(entry), MESH).flatMap(({ conditions }) =>
      conditions.map(({ reason }) => reason),
    );
  expect(reasons('api.out.test').slice(0, 2)).toEqual(['Accepted', 'ResolvedRefs']);
  expect(reasons('ghost.out.test').slice(0, 2)).toEqual(['Accepted', 'BackendNotFound']);
});
test.for([
  { controller: 'istio.io/mesh-controller', parents: 1 },
  { controller: 'example.com/other', parents: 0 },
])(
  'of a route whose waypoint is run by $controller $parents parents are judged (P131)',
  (given) => {
    const labels = { 'istio.io/use-waypoint': 'waypoint' };
    const cluster = clusterOf(
      { kind: 'Namespace', metadata: { name: 'shop', labels } } as never,
      { kind: 'Service', metadata: { namespace: 'shop', name: 'cart' }, spec: {} } as never,
      {
        kind: 'GatewayClass',
        metadata: { name: 'theirs' },
        spec: { controllerName: given.controller },
      } as never,
      {
        kind: 'Gateway',
        metadata: { namespace: 'shop', name: 'waypoint' },
        spec: { gatewayClassName: 'theirs', listeners: [] },
      } as never,
    );
    const route = {
      kind: 'HTTPRoute',
      metadata: { namespace: 'shop', name: 'route' },
      spec: { parentRefs: [{ group: '', kind: 'Service', name: 'cart' }], rules: [] },
    } as unknown as HTTPRoute;
    expect(deriveRouteParents(route, cluster, MESH)).toHaveLength(given.parents);
  },
);
