/** Policies at gateways (spec control-plane 6.3, l7 5.1, 6). */
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { fromBinary, toJson } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { messageRegistry } from '../../../../../../test/fixtures/message-registry.ts';
import { TestCluster, type TestObject } from '../../derivation.fixture.ts';
import {
  base,
  FROM_ALL,
  FRONT,
  gateway,
  object,
  servedToFront,
} from '../../gateway-api/gateway-api.fixture.ts';

const registry = await messageRegistry();

const LISTENERS = [
  { name: 'web', port: 80, protocol: 'HTTP', ...FROM_ALL },
  { name: 'raw', port: 9000, protocol: 'TCP', ...FROM_ALL },
];
const RAW = object('TCPRoute', 'shop/raw', {
  parentRefs: [FRONT],
  rules: [{ backendRefs: [{ name: 'cart', port: 9000 }] }],
});

interface Chain {
  readonly filters: readonly {
    readonly name: string;
    readonly typedConfig: { readonly httpFilters?: readonly { readonly name: string }[] };
  }[];
}

/** Names of the filters of the HTTP and of the TCP listener that judge. */
function judging(...objects: readonly TestObject[]): Record<'http' | 'tcp', string[]> {
  const cluster = new TestCluster([...base([80, 9000]), gateway(LISTENERS), RAW, ...objects]);
  const { listeners } = servedToFront(cluster);
  const filtersOf = (name: string) => {
    const message = fromBinary(ListenerSchema, listeners.get(name)!.bytes);
    const json = toJson(ListenerSchema, message, { registry }) as unknown as {
      readonly filterChains: readonly Chain[];
    };
    return json.filterChains[0]!.filters;
  };
  const judges = (names: readonly string[]) =>
    names.filter((name) => /rbac|jwt|ext_authz/.test(name)).map((name) => name.split('.').at(-1)!);
  const [manager] = filtersOf('0.0.0.0_80');
  return {
    http: judges((manager?.typedConfig.httpFilters ?? []).map(({ name }) => name)),
    tcp: judges(filtersOf('0.0.0.0_9000').map(({ name }) => name)),
  };
}

function policy(key: string, spec: object): TestObject {
  return object('AuthorizationPolicy', key, spec);
}

const DENY = { action: 'DENY', rules: [{ from: [{ source: { namespaces: ['x'] } }] }] };
const TARGET = { group: 'gateway.networking.k8s.io', kind: 'Gateway', name: 'front' };
const BY_NAME = { matchLabels: { 'gateway.networking.k8s.io/gateway-name': 'front' } };

test('without policies nobody judges', () => {
  expect(judging()).toEqual({ http: [], tcp: [] });
});

test.for([
  {
    what: 'with the Gateway as target',
    key: 'edge/p',
    spec: { targetRefs: [TARGET] },
    holds: true,
  },
  {
    what: 'with the Gateway as one target',
    key: 'edge/p',
    spec: { targetRef: TARGET },
    holds: true,
  },
  { what: 'that selects its proxies', key: 'edge/p', spec: { selector: BY_NAME }, holds: true },
  { what: 'of its whole namespace', key: 'edge/p', spec: {}, holds: true },
  { what: 'of the whole mesh', key: 'istio-system/p', spec: {}, holds: true },
  { what: 'of another namespace', key: 'shop/p', spec: { selector: BY_NAME }, holds: false },
  {
    what: 'of another namespace, with its name as target',
    key: 'shop/p',
    spec: { targetRefs: [TARGET] },
    holds: false,
  },
  {
    what: 'with another Gateway as target',
    key: 'edge/p',
    spec: { targetRefs: [{ ...TARGET, name: 'other' }] },
    holds: false,
  },
  {
    what: 'with a Service as target',
    key: 'edge/p',
    spec: { targetRefs: [{ group: '', kind: 'Service', name: 'front' }] },
    holds: false,
  },
])('a policy $what holds at a gateway: $holds', ({ key, spec, holds }) => {
  const found = holds ? ['rbac'] : [];
  expect(judging(policy(key, { ...spec, ...DENY }))).toEqual({ http: found, tcp: found });
});

test('tokens are verified before policies judge, and only of requests', () => {
  const rules = object('RequestAuthentication', 'edge/jwt', {
    targetRefs: [TARGET],
    jwtRules: [{ issuer: 'me', jwks: '{"keys":[]}' }],
  });
  const allow = policy('edge/allow', { targetRefs: [TARGET], rules: [{}] });
  expect(judging(rules, allow, policy('edge/deny', { selector: BY_NAME, ...DENY }))).toEqual({
    http: ['jwt_authn', 'rbac', 'rbac'],
    tcp: ['rbac', 'rbac'],
  });
});
