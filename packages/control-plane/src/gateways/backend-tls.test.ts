/** BackendTLSPolicies: what clusters become of them, and what is said (spec l7 4.7). */
import { readFileSync } from 'node:fs';
import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { fromBinary, toJsonString } from '@bufbuild/protobuf';
import { expect, test } from 'vitest';
import { messageRegistry } from '../../../../test/fixtures/message-registry.ts';
import { UNTRACKED } from '../collections/cell.ts';
import { TestCluster, type TestObject } from '../derive/derivation.fixture.ts';
import {
  base,
  FROM_ALL,
  FRONT,
  gateway,
  object,
  servedToFront,
} from '../derive/gateway-api/gateway-api.fixture.ts';
import { trafficPolicyAt } from '../derive/traffic/traffic-policy.ts';
import { deriveAncestors } from './backend-tls-status.ts';

const registry = await messageRegistry();

const OBJECTS = new URL(
  '../../../../test/fixtures/golden/l7/21-gwapi-gateway/objects.json',
  import.meta.url,
);
const { data } = (JSON.parse(readFileSync(OBJECTS, 'utf8')) as TestObject[]).find(
  ({ kind }) => kind === 'Secret',
) as unknown as { readonly data: Readonly<Record<string, string>> };
const ROOTS = Buffer.from(data['tls.crt'] ?? '', 'base64').toString();

const CA = object('RootConfigMap', 'shop/ca', {}, { data: { 'ca.crt': ROOTS } });
const CART = { group: '', kind: 'Service', name: 'cart' };
const BY_CA = {
  hostname: 'cart.test',
  caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: 'ca' }],
};

interface Given {
  readonly targetRefs?: readonly object[];
  readonly validation?: object;
  readonly options?: object;
  readonly createdAt?: string;
}

function policy(name: string, { createdAt, ...spec }: Given = {}): TestObject {
  return object(
    'BackendTLSPolicy',
    `shop/${name}`,
    { targetRefs: [CART], validation: BY_CA, ...spec },
    createdAt === undefined ? {} : { createdAt },
  );
}

const ROUTE = object('HTTPRoute', 'shop/r', {
  parentRefs: [FRONT],
  rules: [{ backendRefs: [{ name: 'cart', port: 80 }] }],
});

function clusterOf(...objects: readonly TestObject[]): TestCluster {
  const web = { name: 'web', port: 80, protocol: 'HTTP', ...FROM_ALL };
  return new TestCluster([...base(), gateway([web]), ROUTE, ...objects]);
}

/** What clients in the namespace do towards a port of cart. */
function tlsAt(cluster: TestCluster, port: number) {
  const { mesh, routing } = cluster.derivation;
  const [service] = mesh.meshServicesByHostname.lookup('cart.shop.svc.cluster.local');
  const client = { namespace: 'shop', labels: null };
  const traffic = routing.trafficOf(UNTRACKED, client, service!);
  return traffic === null ? null : trafficPolicyAt(traffic, port);
}

test('a policy asks for TLS by the name that it says and the authority that it names, whatever rules say', () => {
  const rule = object('DestinationRule', 'shop/cart', {
    host: 'cart',
    trafficPolicy: {
      tls: { mode: 'DISABLE' },
      connectionPool: { tcp: { maxConnections: 3 } },
      portLevelSettings: [{ port: { number: 443 }, loadBalancer: { simple: 'RANDOM' } }],
    },
  });
  const cluster = clusterOf(CA, rule, policy('tls'));
  const tls = {
    mode: 'SIMPLE',
    sni: 'cart.test',
    subjectAltNames: ['cart.test'],
    credentialName: 'configmap://shop/ca',
    roots: ROOTS,
  };
  expect(tlsAt(cluster, 80)).toEqual({ connectionPool: { tcp: { maxConnections: 3 } }, tls });
  expect(tlsAt(cluster, 443)).toEqual({ loadBalancer: { simple: 'RANDOM' }, tls });
});

test('a policy of one port is for that port, beside one of the whole Service', () => {
  const cluster = clusterOf(
    CA,
    policy('whole'),
    policy('port', {
      targetRefs: [{ ...CART, sectionName: 'tls' }],
      validation: { ...BY_CA, hostname: 'port.test' },
    }),
  );
  expect([80, 443].map((port) => tlsAt(cluster, port)?.tls?.sni)).toEqual([
    'cart.test',
    'port.test',
  ]);
});

test('names that a policy gives stand for its hostname', () => {
  const subjectAltNames = [
    { type: 'Hostname', hostname: 'a.test' },
    { type: 'URI', uri: 'spiffe://td/x' },
  ];
  const cluster = clusterOf(CA, policy('tls', { validation: { ...BY_CA, subjectAltNames } }));
  expect(tlsAt(cluster, 80)?.tls?.subjectAltNames).toEqual(['a.test', 'spiffe://td/x']);
});

function said(cluster: TestCluster, name: string, gateways: readonly string[] = []): string[][] {
  const read = cluster.derivation.routing.gatewayApi.backendTls.policies.get(`shop/${name}`)!;
  return deriveAncestors(read, gateways).map(({ ancestorRef, conditions }) => [
    `${ancestorRef.kind} ${ancestorRef.name}`,
    ...conditions.map(
      ({ type, status, reason, message }) => `${type} ${status} ${reason}: ${message}`,
    ),
  ]);
}

test('a policy that holds says so of its Service, and of Gateways with routes to it', () => {
  const valid = [
    'Accepted True Accepted: Configuration is valid',
    'ResolvedRefs True ResolvedRefs: Configuration is valid',
  ];
  expect(said(clusterOf(CA, policy('tls')), 'tls', ['edge/front'])).toEqual([
    ['Service cart', ...valid],
    ['Gateway front', ...valid],
  ]);
});

test.for([
  {
    what: 'a ConfigMap that is not there',
    given: {},
    objects: [],
    accepted:
      'NoValidCACertificate: Certificate reference invalid: reference shop/ca (of kind ConfigMap) not found',
    resolved: 'False InvalidCACertificateRef',
  },
  {
    what: 'a ConfigMap without a certificate',
    given: {},
    objects: [object('RootConfigMap', 'shop/ca', {}, { data: { other: '' } })],
    accepted:
      "NoValidCACertificate: Certificate reference invalid: found secret, but didn't have expected keys cacert or ca.crt; found: other",
    resolved: 'False InvalidCACertificateRef',
  },
  {
    what: 'a Secret (L110)',
    given: {
      validation: {
        hostname: 'x.test',
        caCertificateRefs: [{ group: '', kind: 'Secret', name: 'ca' }],
      },
    },
    objects: [],
    accepted: 'NoValidCACertificate: Certificate reference invalid: unsupported kind Secret',
    resolved: 'False InvalidKind',
  },
  {
    what: 'authorities that nobody knows well',
    given: { validation: { hostname: 'x.test', wellKnownCACertificates: 'Mine' } },
    objects: [],
    accepted: 'Invalid: Unknown wellKnownCACertificates: Mine',
    resolved: 'True ResolvedRefs',
  },
  {
    what: 'an option that is unknown',
    given: { options: { 'gateway.istio.io/tls-x': '1' } },
    objects: [CA],
    accepted: 'Invalid: options: gateway.istio.io/tls-x is unknown',
    resolved: 'True ResolvedRefs',
  },
])('with $what it says so, and nobody is believed', ({ given, objects, accepted, resolved }) => {
  const cluster = clusterOf(...objects, policy('tls', given));
  const [[, first, second]] = said(cluster, 'tls') as [[string, string, string]];
  expect(first).toBe(`Accepted False ${accepted}`);
  expect(second).toMatch(new RegExp(`^ResolvedRefs ${resolved}: `));
  expect(tlsAt(cluster, 80)?.tls).toEqual({
    mode: 'SIMPLE',
    sni: 'invalid',
    subjectAltNames: ['nobody.invalid'],
  });
});

test('of two policies for one target the older holds, and the other says that it does not (L109)', () => {
  const cluster = clusterOf(
    CA,
    policy('b', { createdAt: '2026-01-01T00:00:00Z' }),
    policy('a', {
      createdAt: '2026-01-02T00:00:00Z',
      validation: { ...BY_CA, hostname: 'late.test' },
    }),
  );
  expect(said(cluster, 'b')[0]?.[1]).toBe('Accepted True Accepted: Configuration is valid');
  expect(said(cluster, 'a')[0]?.[1]).toBe(
    'Accepted False Conflicted: BackendTLSPolicy shop/b is older and is for the same target',
  );
  expect(tlsAt(cluster, 80)?.tls?.sni).toBe('cart.test');
});

test.for([
  { ref: { ...CART, name: 'no' }, says: 'reference shop/no (of kind Service) not found' },
  {
    ref: { ...CART, sectionName: 'no' },
    says: 'sectionName "no" does not exist in Service shop/cart',
  },
  { ref: { group: 'x', kind: 'Thing', name: 't' }, says: 'unsupported kind Thing' },
])('a target that is not there: $says', ({ ref, says }) => {
  const cluster = clusterOf(CA, policy('tls', { targetRefs: [ref] }));
  expect(said(cluster, 'tls')[0]?.[1]).toBe(
    `Accepted False TargetNotFound: targetRefs invalid: ${says}`,
  );
  expect(tlsAt(cluster, 80)).toBeNull();
});

test('a gateway is told the authority by the name of its ConfigMap, as Istio does', () => {
  const { clusters } = servedToFront(clusterOf(CA, policy('tls')));
  const { bytes } = clusters.get('outbound|80||cart.shop.svc.cluster.local')!;
  const text = toJsonString(ClusterSchema, fromBinary(ClusterSchema, bytes), { registry });
  expect(text).toContain('"name":"configmap://shop/ca-cacert"');
  expect(text).toContain('destination-rule/cart~istio-autogenerated-k8s-gateway');
  expect(text).not.toContain('inlineString');
});
