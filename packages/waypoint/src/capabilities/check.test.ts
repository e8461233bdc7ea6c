import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ClusterLoadAssignmentSchema } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { RBACSchema } from '@aquifer/wire/gen/envoy/config/rbac/v3_pb';
import { RouteConfigurationSchema } from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import {
  IPMatcherSchema,
  type Matcher,
  MatcherSchema,
} from '@aquifer/wire/gen/xds/type/matcher/v3_pb';
import { create, type DescMessage, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { AnySchema, anyPack, StringValueSchema } from '@bufbuild/protobuf/wkt';
import { expect, test } from 'vitest';
import { messageRegistry } from '../../../../test/fixtures/message-registry.ts';
import { processorMs } from '../../../../test/fixtures/processor-time.ts';
import { mainInternal } from '../../../../test/fixtures/waypoint-config.ts';
import { compileAuthorization } from '../compile/rbac.ts';
import { RESOURCES, type ResourceKind } from '../data-plane/resources.ts';

const SCHEMAS: Readonly<Record<ResourceKind, DescMessage>> = {
  cluster: ClusterSchema,
  endpoints: ClusterLoadAssignmentSchema,
  listener: ListenerSchema,
  routes: RouteConfigurationSchema,
};
const PREFIX = 'type.googleapis.com/';
const registry = await messageRegistry();

/** Null if it is served. */
function refusalOf(kind: ResourceKind, json: JsonValue): string | null {
  return refusalOfBytes(kind, toBinary(SCHEMAS[kind], fromJson(SCHEMAS[kind], json, { registry })));
}

function refusalOfBytes(kind: ResourceKind, body: Uint8Array): string | null {
  try {
    RESOURCES[kind].check(body);
    return null;
  } catch (error) {
    return (error as Error).message;
  }
}

interface Chains {
  readonly filterChains: { filters: { typedConfig: Record<string, JsonValue> }[] }[];
}

/** The listener of one HTTP port, with changes to its connection manager. */
function listenerWith(manager: Record<string, JsonValue>, listener: object = {}): JsonValue {
  const json = structuredClone(mainInternal('10.96.0.10')) as unknown as Chains;
  Object.assign(json.filterChains[0]!.filters[0]!.typedConfig, manager);
  return { ...json, ...listener } as unknown as JsonValue;
}

function routesWith(route: Record<string, JsonValue>): JsonValue {
  const whole = { match: { prefix: '/' }, route: { cluster: 'c' }, ...route };
  return { name: 'r', virtualHosts: [{ name: 'v', domains: ['*'], routes: [whole] }] };
}

const MANAGER = 'filter_chains[0].filters[0]';
const ROUTE = 'virtual_hosts[0].routes[0]';
const LUA = { '@type': `${PREFIX}google.protobuf.StringValue`, value: '' };

test('what the fixtures hold is served', () => {
  expect(refusalOf('listener', listenerWith({}))).toBeNull();
  expect(refusalOf('routes', routesWith({}))).toBeNull();
});

test.for([
  [
    'a filter of requests that is not known',
    listenerWith({ httpFilters: [{ name: 'lua', typedConfig: LUA }] }),
    `${MANAGER}.http_filters[0]: google.protobuf.StringValue is unknown here`,
  ],
  [
    'a filter of requests without a type',
    listenerWith({ httpFilters: [{ name: 'envoy.filters.http.lua' }] }),
    `${MANAGER}.http_filters[0].typed_config: is required: it says what this is`,
  ],
  [
    'a filter under another name',
    listenerWith({
      httpFilters: [
        {
          name: 'c',
          typedConfig: { '@type': `${PREFIX}envoy.extensions.filters.http.cors.v3.Cors` },
        },
      ],
    }),
    `${MANAGER}.http_filters[0].name: a filter of this type is called envoy.filters.http.cors`,
  ],
  [
    'a header about certificates',
    listenerWith({ forwardClientCertDetails: 'APPEND_FORWARD' }),
    `${MANAGER}.forward_client_cert_details: x-forwarded-client-cert of clients is removed, and none is written`,
  ],
  [
    'the address of the client',
    listenerWith({ useRemoteAddress: true }),
    `${MANAGER}.use_remote_address: x-forwarded-for stays as it came`,
  ],
  [
    'an upgrade to CONNECT',
    listenerWith({ upgradeConfigs: [{ upgradeType: 'CONNECT' }] }),
    `${MANAGER}.upgrade_configs[0]: CONNECT is not upgraded to`,
  ],
  [
    'a match of filter chains of the old kind',
    listenerWith({}, { filterChains: [{ filterChainMatch: { destinationPort: 80 } }] }),
    'filter_chains[0].filter_chain_match: filter_chain_matcher of the listener says it here',
  ],
  [
    'a filter chain for all others',
    listenerWith({}, { defaultFilterChain: {} }),
    'default_filter_chain: connections that match no filter chain are closed',
  ],
] as const)('a listener with %s is refused', ([, json, reason]) => {
  expect(refusalOf('listener', json)).toBe(reason);
});

test.for([
  [
    { route: { cluster: 'c', maxStreamDuration: {} } },
    'route.max_stream_duration: timeout says how long an answer may take',
  ],
  [
    { route: { cluster: 'c', retryPolicy: { retryOn: 'envoy-ratelimited' } } },
    'route.retry_policy.retry_on: "envoy-ratelimited" is unknown',
  ],
  [
    { match: { connectMatcher: {} } },
    'match.connect_matcher: CONNECT is only taken from node proxies',
  ],
  [
    {
      route: {
        cluster: 'c',
        hashPolicy: [{ header: { headerName: 'x', regexRewrite: {} } }],
      },
    },
    'route.hash_policy[0].header.regex_rewrite: the value is hashed as it came',
  ],
  [
    { typedPerFilterConfig: { lua: LUA } },
    'typed_per_filter_config[lua]: google.protobuf.StringValue is unknown here',
  ],
  [
    {
      requestHeadersToAdd: [
        { header: { key: 'x', value: '%REQ(y)%' }, appendAction: 'OVERWRITE_IF_EXISTS_OR_ADD' },
      ],
    },
    'request_headers_to_add[0].header.value: commands (%…%) are not replaced; a percent sign is written %%',
  ],
  [
    { requestHeadersToAdd: [{ header: { key: 'x', value: 'y' }, appendAction: 'ADD_IF_ABSENT' }] },
    'request_headers_to_add[0].append_action: only APPEND_IF_EXISTS_OR_ADD and OVERWRITE_IF_EXISTS_OR_ADD are done',
  ],
] as const)('a route with %j is refused', ([route, reason]) => {
  expect(refusalOf('routes', routesWith(route as never))).toBe(`${ROUTE}.${reason}`);
});

test.for([
  [
    { edsClusterConfig: { serviceName: 'd' } },
    'eds_cluster_config.service_name: is not the name of the cluster',
  ],
  [
    { upstreamBindConfig: {} },
    'upstream_bind_config: connections to endpoints have the address of this proxy',
  ],
] as const)('a cluster with %j is refused', ([cluster, reason]) => {
  expect(refusalOf('cluster', { name: 'c', ...cluster } as never)).toBe(reason);
});

test.for([
  [
    'outbound|80||c',
    'endpoints[0].lb_endpoints[0].metadata.filter_metadata[envoy.transport_socket_match].tlsMode: the TLS of sidecars is not begun here',
  ],
  ['inbound-vip|80|http|c', null],
] as const)('of %s an endpoint that has a sidecar: %s', ([clusterName, reason]) => {
  const address = { socketAddress: { address: '10.0.0.1', portValue: 80 } };
  const metadata = { filterMetadata: { 'envoy.transport_socket_match': { tlsMode: 'istio' } } };
  const endpoints = [{ lbEndpoints: [{ endpoint: { address }, metadata }] }];
  expect(refusalOf('endpoints', { clusterName, endpoints })).toBe(reason);
});

test('a field that is newer than this proxy is refused by its number', () => {
  const known = fromJson(RouteConfigurationSchema, routesWith({}));
  known.virtualHosts[0]!.$unknown = [{ no: 99, wireType: 0, data: Uint8Array.of(1) }];
  expect(refusalOfBytes('routes', toBinary(RouteConfigurationSchema, known))).toBe(
    'virtual_hosts[0]: field number 99 of envoy.config.route.v3.VirtualHost is unknown here; remove what sets it',
  );
});

test('a value that is newer than this proxy is refused', () => {
  const known = fromJson(RouteConfigurationSchema, routesWith({}));
  const action = known.virtualHosts[0]!.routes[0]!.action;
  if (action.case === 'route') action.value.clusterNotFoundResponseCode = 77 as never;
  expect(refusalOfBytes('routes', toBinary(RouteConfigurationSchema, known))).toBe(
    `${ROUTE}.route.cluster_not_found_response_code: 77 is unknown`,
  );
});

/** One in another, within an Any each time: protobuf counts from nothing in each. */
function nestedMatcher(depth: number): Matcher {
  let matcher = create(MatcherSchema, {
    onNoMatch: {
      onMatch: {
        case: 'action',
        value: {
          name: 'x',
          typedConfig: anyPack(StringValueSchema, create(StringValueSchema, { value: 'x' })),
        },
      },
    },
  });
  for (let i = 0; i < depth; i++) {
    const ranges = create(IPMatcherSchema, {
      rangeMatchers: [{ onMatch: { onMatch: { case: 'matcher', value: matcher } } }],
    });
    const typedConfig = anyPack(IPMatcherSchema, ranges);
    matcher = create(MatcherSchema, {
      matcherType: {
        case: 'matcherTree',
        value: { treeType: { case: 'customMatch', value: { name: 'ip', typedConfig } } },
      },
    });
  }
  return matcher;
}

test('a listener whose matchers stand thousands deep in each other is refused', () => {
  const listener = create(ListenerSchema, { filterChainMatcher: nestedMatcher(2000) });
  expect(refusalOfBytes('listener', toBinary(ListenerSchema, listener))).toMatch(
    /^filter_chain_matcher\.matcher_tree\.custom_match\.range_matchers\[0\]\..*: is nested deeper than 100 messages$/,
  );
});

test('a policy whose rules stand thousands deep in each other is refused', () => {
  // not_rule, then its length, then the same again: written by hand, as no library writes so deep.
  let rule = Uint8Array.of(0x18, 1);
  const varint = (value: number): number[] =>
    value < 128 ? [value] : [(value & 127) | 128, ...varint(value >> 7)];
  for (let i = 0; i < 5000; i++) rule = Uint8Array.from([0x42, ...varint(rule.length), ...rule]);
  const permission = Uint8Array.from([0x0a, ...varint(rule.length), ...rule]);
  const policy = Uint8Array.from([
    0x0a,
    1,
    0x78,
    0x12,
    ...varint(permission.length),
    ...permission,
  ]);
  const rules = Uint8Array.from([0x12, ...varint(policy.length), ...policy]);
  const filter = Uint8Array.from([0x0a, ...varint(rules.length), ...rules]);
  const manager = fromJson(ListenerSchema, listenerWith({}), { registry });
  const rbac = 'envoy.extensions.filters.network.rbac.v3.RBAC';
  manager.filterChains[0]!.filters.unshift({
    $typeName: 'envoy.config.listener.v3.Filter',
    name: 'rbac',
    configType: {
      case: 'typedConfig',
      value: create(AnySchema, { typeUrl: PREFIX + rbac, value: filter }),
    },
  });
  expect(refusalOfBytes('listener', toBinary(ListenerSchema, manager))).toBe(
    'filter_chains[0].filters[0]: cannot decode message envoy.config.rbac.v3.Permission from binary: maximum recursion depth of 100 reached',
  );
});

test.for<[string, string]>([
  ['a megabyte of regular expression', 'a'.repeat(1_000_000)],
  ['repetitions that would be a megabyte', `${'(abcdefghij){1000}'.repeat(10)}`],
])('%s is refused at once, by name', ([, regex]) => {
  const tookMs = processorMs(() =>
    expect(refusalOf('routes', routesWith({ match: { safeRegex: { regex } } }))).toMatch(
      /^virtual_hosts\[0\]\.routes\[0\]\.match\.safe_regex: /,
    ),
  );
  expect(tookMs).toBeLessThan(1_000);
});

test('as many regular expressions as take long to compile are refused', () => {
  const route = { match: { safeRegex: { regex: 'a'.repeat(30_000) } }, route: { cluster: 'c' } };
  const virtualHosts = [{ name: 'v', domains: ['*'], routes: Array(20).fill(route) }];
  expect(refusalOf('routes', { name: 'r', virtualHosts })).toBe(
    'virtual_hosts[0].routes[8].match.safe_regex: is one regular expression too many for a resource',
  );
});

test('100,000 routes are checked and compiled in seconds', () => {
  const header = { name: 'x-user', stringMatch: { exact: 'a' } };
  const routes = Array.from({ length: 100_000 }, (_, i) => ({
    name: `r${i}`,
    match: { pathSeparatedPrefix: `/p${i}`, headers: [header] },
    route: { cluster: 'c', timeout: '0s' },
  }));
  const config = fromJson(RouteConfigurationSchema, { virtualHosts: [{ domains: ['*'], routes }] });
  const body = toBinary(RouteConfigurationSchema, config);
  const tookMs = processorMs(() => expect(refusalOfBytes('routes', body)).toBeNull());
  // One second of an idle core (2026-11).
  expect(tookMs).toBeLessThan(10_000);
});

test('a policy by the name of __proto__ is one like others', () => {
  const policy = { permissions: [{ any: true }], principals: [{ any: true }] };
  const text = `{ "action": "DENY", "policies": { "__proto__": ${JSON.stringify(policy)} } }`;
  const rules = fromJson(RBACSchema, JSON.parse(text) as JsonValue);
  const httpFilters = JSON.parse(
    `[{ "name": "envoy.filters.http.rbac", "typedConfig": { "@type": "${PREFIX}envoy.extensions.filters.http.rbac.v3.RBAC", "rules": ${text} } }]`,
  ) as JsonValue;
  expect(refusalOf('listener', listenerWith({ httpFilters }))).toBeNull();
  const input = {
    method: 'GET',
    authority: 'a',
    path: '/',
    header: () => null,
    query: () => null,
    peerPrincipal: '',
    sourceIp: '10.0.0.1',
    destinationIp: '10.0.0.2',
    destinationPort: 80,
    verified: null,
  };
  expect(compileAuthorization(rules, 'rules')(input)).toBe('__proto__');
});
