/** What the recording l7/21 does not show of Gateways of class `istio`: conflicts, isolation, grants, TCP, sets of listeners. */
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { RouteConfigurationSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { fromBinary, toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { messageRegistry } from '../../../../../test/fixtures/message-registry.ts';
import { UNTRACKED } from '../../collections/cell.ts';
import { TestCluster, type TestObject } from '../derivation.fixture.ts';
import { base, FROM_ALL, FRONT, gateway, object, servedToFront } from './gateway-api.fixture.ts';

const registry = await messageRegistry();

const MODE = 'gateway.istio.io/tls-terminate-mode';
const HTTP = { name: 'web', port: 80, protocol: 'HTTP', ...FROM_ALL };

function route(key: string, spec: object, createdAt?: string): TestObject {
  const rules = [{ backendRefs: [{ name: 'cart', namespace: 'shop', port: 80 }] }];
  return object(
    'HTTPRoute',
    key,
    { parentRefs: [FRONT], rules, ...spec },
    createdAt === undefined ? {} : { createdAt },
  );
}

interface VirtualHost {
  readonly domains: readonly string[];
  readonly routes?: readonly { readonly name: string; readonly route?: { cluster?: string } }[];
}

/** The routes of each domain of a table, by name. */
function domainsOf(cluster: TestCluster, table: string): Record<string, unknown> {
  const { routes } = servedToFront(cluster);
  const resource = routes.get(table);
  if (resource === undefined) return {};
  const json = toJson(
    RouteConfigurationSchema,
    fromBinary(RouteConfigurationSchema, resource.bytes),
    { registry },
  ) as unknown as { readonly virtualHosts: readonly VirtualHost[] };
  return Object.fromEntries(
    json.virtualHosts.flatMap((host) =>
      host.domains.map((name) => [name, (host.routes ?? []).map((one) => one.name)]),
    ),
  );
}

/** As JSON. */
function listenersOf(cluster: TestCluster): Record<string, { filterChains: unknown[] }> {
  const { listeners } = servedToFront(cluster);
  return Object.fromEntries(
    Array.from(listeners.values(), ({ name, bytes }) => {
      const json = toJson(ListenerSchema, fromBinary(ListenerSchema, bytes), { registry });
      return [name, json as unknown as { filterChains: unknown[] }];
    }),
  );
}

test('a route at the pattern of one listener does not serve a name that another has, whether it has routes or not (L058)', () => {
  const cluster = new TestCluster([
    ...base(),
    gateway([
      HTTP,
      { ...HTTP, name: 'wild', hostname: '*.foo.test' },
      { ...HTTP, name: 'exact', hostname: 'a.foo.test' },
      { ...HTTP, name: 'empty', hostname: 'b.foo.test' },
    ]),
    route('shop/any', { parentRefs: [{ ...FRONT, sectionName: 'web' }] }),
    route('shop/wild', { parentRefs: [{ ...FRONT, sectionName: 'wild' }] }),
    route('shop/exact', { parentRefs: [{ ...FRONT, sectionName: 'exact' }] }),
  ]);
  expect(domainsOf(cluster, 'http.80')).toEqual({
    '*': ['shop.any.0'],
    '*.foo.test': ['shop.wild.0'],
    'a.foo.test': ['shop.exact.0'],
    'b.foo.test': [],
  });
});

test('routes of several namespaces and kinds with one hostname are one list, the more specific match first (L126)', () => {
  const cluster = new TestCluster([
    ...base(),
    gateway([HTTP]),
    route('shop/all', { hostnames: ['a.test'] }),
    route('edge/exact', {
      hostnames: ['a.test'],
      rules: [{ matches: [{ path: { type: 'Exact', value: '/x' } }] }],
    }),
    {
      ...object('GRPCRoute', 'shop/grpc', {
        parentRefs: [FRONT],
        hostnames: ['a.test'],
        rules: [{ matches: [{ method: { service: 'shop.Cart', method: 'Add' } }] }],
      }),
    },
  ]);
  expect(domainsOf(cluster, 'http.80')).toEqual({
    'a.test': ['shop.grpc.0', 'edge.exact.0', 'shop.all.0'],
  });
});

test('routes with one path on two hosts are told apart, and a pattern is a domain of its own (L059, L069)', () => {
  const cluster = new TestCluster([
    ...base(),
    gateway([HTTP]),
    route('shop/a', { hostnames: ['a.test'] }),
    route('shop/b', { hostnames: ['b.test', '*.foo.test'] }),
  ]);
  expect(domainsOf(cluster, 'http.80')).toEqual({
    'a.test': ['shop.a.0'],
    'b.test': ['shop.b.0'],
    '*.foo.test': ['shop.b.0'],
  });
});

test.for([
  { redirect: {}, port: 0 },
  { redirect: { port: 8443 }, port: 8443 },
  { redirect: { scheme: 'http' }, port: 0 },
  { redirect: { port: 80 }, port: 80 },
])(
  'a redirect $redirect at a listener of HTTPS leads to port $port, 0 for that of the scheme (L076)',
  ({ redirect, port }) => {
    const tls = { certificateRefs: [{ name: 'own' }], options: { [MODE]: 'ISTIO_MUTUAL' } };
    const https = { name: 'https', port: 443, protocol: 'HTTPS', tls, ...FROM_ALL };
    const rules = [{ filters: [{ type: 'RequestRedirect', requestRedirect: redirect }] }];
    const cluster = new TestCluster([...base([443]), gateway([https]), route('shop/r', { rules })]);
    const [table] = servedToFront(cluster).routes.values();
    const [host] = fromBinary(RouteConfigurationSchema, table!.bytes).virtualHosts;
    const { action } = host!.routes[0]!;
    expect(action.case === 'redirect' && action.value.portRedirect).toBe(port);
  },
);

test('two Gateways that name one route serve it both, each behind its own Service (L107)', () => {
  const second = object('Gateway', 'edge/second', { gatewayClassName: 'istio', listeners: [HTTP] });
  const cluster = new TestCluster([
    ...base(),
    gateway([HTTP]),
    second,
    route('shop/r', { parentRefs: [FRONT, { ...FRONT, name: 'second' }] }),
  ]);
  // The proxy stands behind the first Gateway's Service only.
  expect(domainsOf(cluster, 'http.80')).toEqual({ '*': ['shop.r.0'] });
  const { routeParents } = cluster.derivation.routing.gatewayApi;
  const parents = routeParents.get('HTTPRoute/shop/r')?.parents ?? [];
  expect(parents.map(({ attached }) => attached.map((one) => one.gateway))).toEqual([
    ['edge/front'],
    ['edge/second'],
  ]);
});

test('plaintext, TLS and TCP share no port, nor do two listeners one name: the later one is in conflict and not served', () => {
  const tls = { mode: 'Passthrough' };
  const cluster = new TestCluster([
    ...base(),
    gateway([
      HTTP,
      { name: 'secure', port: 80, protocol: 'TLS', hostname: 'x.test', tls },
      { name: 'raw', port: 80, protocol: 'TCP' },
      { name: 'pass', port: 443, protocol: 'TLS', hostname: 'a.test', tls },
      { name: 'again', port: 443, protocol: 'TLS', hostname: 'a.test', tls },
      { name: 'udp', port: 53, protocol: 'UDP' },
      { name: 'lower', port: 81, protocol: 'http' },
    ]),
  ]);
  const served = cluster.derivation.routing.gatewayApi.gateways.get('edge/front')!;
  const said = served.listeners.map(({ name, problems }) => [
    name,
    problems.Conflicted?.reason,
    problems.Accepted?.reason,
  ]);
  expect(said).toEqual([
    ['web', undefined, undefined],
    ['secure', 'ProtocolConflict', 'ProtocolConflict'],
    ['raw', 'ProtocolConflict', 'ProtocolConflict'],
    ['pass', undefined, undefined],
    ['again', 'HostnameConflict', 'HostnameConflict'],
    ['udp', undefined, 'UnsupportedProtocol'],
    ['lower', undefined, 'UnsupportedProtocol'],
  ]);
  expect(served.listeners.at(-1)?.problems.Accepted?.message).toBe(
    'protocol "http" is unsupported. hint: "HTTP" (uppercase) may be supported',
  );
});

const GRANT = object('ReferenceGrant', 'shop/grant', {
  from: [{ group: 'gateway.networking.k8s.io', kind: 'HTTPRoute', namespace: 'edge' }],
  to: [{ group: '', kind: 'Service', name: 'cart' }],
});

test('a route leads to another namespace with a grant only, and as long as it is there (L086, L087)', () => {
  const cluster = new TestCluster([...base(), gateway([HTTP]), route('edge/r', {})]);
  const clusters = () => {
    const bytes = servedToFront(cluster).routes.get('http.80')!.bytes;
    const [host] = fromBinary(RouteConfigurationSchema, bytes).virtualHosts;
    const { action } = host!.routes[0]!;
    const value = action.case === 'route' ? action.value : null;
    return [value?.clusterSpecifier.value, value?.clusterNotFoundResponseCode];
  };
  // Of Envoy's codes 2 is 500.
  expect(clusters()).toEqual(['UnknownService', 2]);
  cluster.put(GRANT);
  expect(clusters()).toEqual(['outbound|80||cart.shop.svc.cluster.local', 2]);
  cluster.toggle(GRANT);
  expect(clusters()).toEqual(['UnknownService', 2]);
});

test.for([
  { what: 'another name', to: [{ group: '', kind: 'Service', name: 'stock' }], kind: 'HTTPRoute' },
  { what: 'another kind', to: [{ group: '', kind: 'Secret' }], kind: 'HTTPRoute' },
  { what: 'another kind of route', to: [{ group: '', kind: 'Service' }], kind: 'TCPRoute' },
])('a grant for $what grants nothing', ({ to, kind }) => {
  const from = [{ group: 'gateway.networking.k8s.io', kind, namespace: 'edge' }];
  const cluster = new TestCluster([object('ReferenceGrant', 'shop/grant', { from, to })]);
  const { gatewayApi } = cluster.derivation.routing;
  const isGranted = gatewayApi.grantsIn(UNTRACKED);
  const cart = { kind: 'Service', namespace: 'shop', name: 'cart' };
  expect(isGranted({ kind: 'HTTPRoute', namespace: 'edge' }, cart)).toBe(false);
  expect(isGranted({ kind: 'HTTPRoute', namespace: 'shop' }, cart)).toBe(true);
});

const TCP = { name: 'raw', port: 9000, protocol: 'TCP', ...FROM_ALL };

function tcpRoute(key: string, backendRefs: readonly object[], createdAt: string): TestObject {
  const spec = { parentRefs: [FRONT], rules: [{ backendRefs }] };
  return object('TCPRoute', key, spec, { createdAt });
}

test('of two TCPRoutes at a listener the older one has the connections, and both are attached (L114)', () => {
  const [to, other] = [[{ name: 'cart', port: 9000 }], [{ name: 'cart', port: 80 }]];
  const cluster = new TestCluster([
    ...base([9000]),
    gateway([TCP]),
    tcpRoute('shop/b', to, '2026-01-01T00:00:01Z'),
    tcpRoute('shop/a', other, '2026-01-01T00:00:02Z'),
  ]);
  expect(JSON.stringify(listenersOf(cluster)['0.0.0.0_9000'])).toContain(
    '"cluster":"outbound|9000||cart.shop.svc.cluster.local"',
  );
  const attached = cluster.derivation.routing.gatewayApi.attachments.lookup(
    'edge/front~istio-autogenerated-k8s-gateway~raw~Gateway',
  );
  expect(attached).toHaveLength(2);
});

test.for([
  { what: 'weights', refs: [{ weight: 3 }, { weight: 1 }], says: '"weight":3' },
  { what: 'no weight at all', refs: [{ weight: 0 }], says: 'outbound|65535|zero-weight|' },
  { what: 'a namespace without a grant', refs: [{ namespace: 'edge' }], says: '|not-permitted|' },
])('a TCPRoute with $what', ({ refs, says }) => {
  const backends = refs.map((ref) => ({ name: 'cart', port: 9000, ...ref }));
  const cluster = new TestCluster([
    ...base([9000]),
    gateway([TCP]),
    tcpRoute('shop/r', backends, '2026-01-01T00:00:01Z'),
  ]);
  expect(JSON.stringify(listenersOf(cluster)['0.0.0.0_9000'])).toContain(says);
});

test('a TLSRoute is led by the names that it shares with its listener, others are closed (L111, L112)', () => {
  const tls = { mode: 'Passthrough' };
  const cluster = new TestCluster([
    ...base([443]),
    gateway([
      { name: 'pass', port: 443, protocol: 'TLS', hostname: '*.foo.test', tls, ...FROM_ALL },
    ]),
    object('TLSRoute', 'shop/sni', {
      parentRefs: [FRONT],
      hostnames: ['a.foo.test', 'a.bar.test'],
      rules: [{ backendRefs: [{ name: 'cart', port: 443 }] }],
    }),
  ]);
  expect(listenersOf(cluster)['0.0.0.0_443']?.filterChains).toEqual([
    expect.objectContaining({ filterChainMatch: { serverNames: ['a.foo.test'] } }),
  ]);
});

function set(key: string, listeners: readonly object[], createdAt: string): TestObject {
  const spec = { parentRef: { name: 'front', namespace: 'edge' }, listeners };
  return object('ListenerSet', key, spec, { createdAt });
}

test('listeners of ListenerSets are served where the Gateway lets them in: its own win, then the oldest (L121, L122)', () => {
  const OLD = '2026-01-01T00:00:01Z';
  const listeners = [HTTP, { ...HTTP, name: 'own', hostname: 'own.test' }];
  const extra = (hostname: string) => ({ ...HTTP, name: 'extra', hostname });
  const cluster = new TestCluster([
    ...base(),
    gateway(listeners, { allowedListeners: { namespaces: { from: 'Same' } } }),
    set('edge/old', [extra('set.test'), { ...extra('own.test'), name: 'taken' }], OLD),
    set('edge/new', [extra('set.test')], '2026-01-01T00:00:02Z'),
    set('shop/foreign', [extra('foreign.test')], OLD),
    route('shop/r', { parentRefs: [{ ...FRONT, kind: 'ListenerSet', name: 'old' }] }),
    route('shop/no', { parentRefs: [{ ...FRONT, sectionName: 'extra' }] }),
  ]);
  const { gateways, routeParents } = cluster.derivation.routing.gatewayApi;
  const said = gateways
    .get('edge/front')
    ?.listeners.map(({ owner, name, problems }) => [
      `${owner.kind} ${owner.name} ${name}`,
      problems.Conflicted?.reason,
    ]);
  expect(said).toEqual([
    ['Gateway front web', undefined],
    ['Gateway front own', undefined],
    ['ListenerSet old extra', undefined],
    ['ListenerSet old taken', 'HostnameConflict'],
    ['ListenerSet new extra', 'HostnameConflict'],
  ]);
  expect(domainsOf(cluster, 'http.80')).toEqual({ 'set.test': ['shop.r.0'] });
  // A Gateway's sections are its own.
  expect(routeParents.get('HTTPRoute/shop/no')?.parents[0]?.denial?.reason).toBe(
    'NoMatchingParent',
  );
});

test('a mesh TCPRoute leads connections at the waypoint of the Service, one of the port before that of none', () => {
  // The waypoint's own recordings show VirtualServices; here only what the route becomes matters.
  const cluster = new TestCluster([
    ...base(),
    object('TCPRoute', 'shop/r', {
      parentRefs: [{ group: '', kind: 'Service', name: 'cart', port: 9000 }],
      rules: [{ backendRefs: [{ name: 'cart', port: 80 }] }],
    }),
  ]);
  const { routing } = cluster.derivation;
  const [made] = routing.rawRoutesOf(UNTRACKED, 'shop', 'cart.shop.svc.cluster.local');
  expect(made?.spec).toMatchObject({
    hosts: ['cart.shop.svc.cluster.local'],
    gateways: ['mesh'],
    tcp: [
      {
        match: [{ port: 9000 }],
        route: [{ destination: { host: 'cart.shop.svc.cluster.local', port: { number: 80 } } }],
      },
    ],
  });
});
