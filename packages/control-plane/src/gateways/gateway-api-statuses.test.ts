/** Statuses of Gateways of class `istio`, of ListenerSets and of routes at them: as recorded in l7/21, and what it does not show. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { UNTRACKED } from '../collections/cell.ts';
import { SETTINGS, TestCluster, type TestObject } from '../derive/derivation.fixture.ts';
import {
  base,
  FROM_ALL,
  FRONT,
  gateway,
  object,
} from '../derive/gateway-api/gateway-api.fixture.ts';
import { readRecorded, recordedObjects } from '../derive/l7/recorded-waypoint.fixture.ts';
import { GATEWAY_CONTROLLER } from '../derive/labels.ts';
import { OWN_CLASSES } from './gateway-classes.ts';
import { deriveGatewayStatus } from './gateway-status.ts';
import { deriveSetStatus } from './listener-sets.ts';
import { deriveRouteParents } from './route-status.ts';

const CLASSES = OWN_CLASSES.map(({ name, controllerName }) =>
  object('GatewayClass', `/${name}`, { controllerName }),
);

interface Text {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
  readonly observedGeneration?: number;
}

/** What is said of each Gateway and of each route, as statuses that have just been written. */
function statusesOf({ derivation }: TestCluster): Record<string, unknown> {
  const { cluster, mesh, routing } = derivation;
  const { gatewayApi } = routing;
  const inputs = { cluster, mesh, gatewayApi, settings: SETTINGS };
  const gateways = Array.from(cluster.of('Gateway').entries(), ([key, one]) => [
    `Gateway/${key}`,
    deriveGatewayStatus(one, GATEWAY_CONTROLLER, inputs, UNTRACKED),
  ]);
  const known = { clusterDomain: 'cluster.local', hasHost: () => false };
  const isGranted = gatewayApi.grantsIn(UNTRACKED);
  const routes = Array.from(gatewayApi.routeParents.entries(), ([key, { route, parents }]) => {
    const derived = deriveRouteParents(route, cluster, known, { parents, isGranted });
    const controllerName = 'istio.io/gateway-controller';
    return [key, { parents: derived.map((parent) => ({ ...parent, controllerName })) }];
  });
  return Object.fromEntries([...gateways, ...routes]);
}

test('the Gateway and the routes of 21-gwapi-gateway get the recorded statuses', () => {
  const name = '21-gwapi-gateway';
  const recorded = readRecorded<Record<string, unknown>>(name, 'status.json');
  const text = JSON.stringify(recorded, (key, value: unknown) =>
    key === 'observedGeneration' ? undefined : value,
  );
  const cluster = new TestCluster([...CLASSES, ...recordedObjects(name)]);
  expect(statusesOf(cluster)).toEqual(JSON.parse(text));
});

interface Said {
  readonly conditions: readonly Text[];
  readonly listeners: readonly {
    readonly attachedRoutes: number;
    readonly conditions: readonly Text[];
  }[];
}

function frontStatus(...objects: readonly TestObject[]): Said {
  return statusesOf(new TestCluster(objects))['Gateway/edge/front'] as Said;
}

function named(conditions: readonly Text[], type: string): string {
  const { status, reason, message } = conditions.find((one) => one.type === type)!;
  return `${status} ${reason}: ${message}`;
}

const HTTP = { name: 'web', port: 80, protocol: 'HTTP', ...FROM_ALL };

test.for([
  { what: 'some are', listeners: [HTTP, { ...HTTP, name: 'u', protocol: 'UDP' }], said: 'True' },
  { what: 'none is', listeners: [{ ...HTTP, protocol: 'UDP' }], said: 'False' },
])('a Gateway of whose listeners $what valid is accepted: $said (L123)', ({ listeners, said }) => {
  const { conditions } = frontStatus(...base(), gateway(listeners));
  expect(named(conditions, 'Accepted')).toMatch(new RegExp(`^${said} ListenersNotValid: `));
});

test.for([
  {
    what: 'an address that cannot be had',
    addresses: [
      { type: 'IPAddress', value: '1.2.3.4' },
      { type: 'NamedAddress', value: 'x' },
    ],
    accepted: 'False UnsupportedAddress: only Hostname is supported, ignoring [1.2.3.4 x]',
    programmed: 'False UnsupportedAddress: Failed to assign to any requested addresses',
  },
  {
    what: 'the Service of somebody else, by its short name',
    addresses: [{ type: 'Hostname', value: 'front-istio' }],
    accepted: 'True Accepted: Resource accepted',
    programmed:
      'True Programmed: Resource programmed, assigned to service(s) front-istio.edge.svc.cluster.local:80',
  },
  {
    what: 'a host that nobody knows',
    addresses: [{ type: 'Hostname', value: 'no.where.test' }],
    accepted: 'True Accepted: Resource accepted',
    programmed:
      'False AddressNotUsable: Failed to assign to any requested addresses: hostname "no.where.test" not found',
  },
])('a Gateway that asks for $what says so', ({ addresses, accepted, programmed }) => {
  const { conditions } = frontStatus(...base(), gateway([HTTP], { addresses }));
  expect(named(conditions, 'Accepted')).toBe(accepted);
  expect(named(conditions, 'Programmed')).toBe(programmed);
});

test('a listener on the port of the workload is told the port of the Service', () => {
  const objects = base().map((one) =>
    one.kind === 'Service' && one.metadata.name === 'front-istio'
      ? object('Service', 'edge/front-istio', {
          selector: { 'gateway.networking.k8s.io/gateway-name': 'front' },
          clusterIP: '10.96.0.7',
          ports: [{ name: 'web', port: 80, targetPort: 8080 }],
        })
      : one,
  );
  const { conditions } = frontStatus(...objects, gateway([{ ...HTTP, port: 8080 }]));
  expect(named(conditions, 'Programmed')).toContain(
    'port 8080 not found for hostname "front-istio.edge.svc.cluster.local" (hint: the service port should be specified, not the workload port. Did you mean one of these ports: [80]?)',
  );
});

test('what a Gateway asks for and this mesh does not do is said', () => {
  const { conditions } = frontStatus(
    ...base(),
    gateway([HTTP], {
      tls: { backend: { clientCertificateRef: { name: 'own' } } },
    }),
  );
  expect(named(conditions, 'ResolvedRefs')).toMatch(/^False InvalidClientCertificateRef: /);
});

const CERTIFICATE = new URL(
  '../../../../test/fixtures/golden/l7/21-gwapi-gateway/objects.json',
  import.meta.url,
);
const [SITE] = (JSON.parse(readFileSync(CERTIFICATE, 'utf8')) as TestObject[]).filter(
  ({ kind }) => kind === 'Secret',
);

function secret(data: object): TestObject {
  return { ...SITE!, metadata: { namespace: 'edge', name: 'own' }, data } as TestObject;
}

test.for([
  {
    what: 'of another kind',
    ref: { kind: 'ConfigMap', name: 'own' },
    secrets: [],
    says: 'False InvalidCertificateRef: invalid certificate reference /ConfigMap/own., only secret is allowed',
  },
  {
    what: 'that is not there',
    ref: { name: 'own' },
    secrets: [],
    says: 'False InvalidCertificateRef: invalid certificate reference /Secret/own., secret edge/own not found',
  },
  {
    what: 'without a certificate',
    ref: { name: 'own' },
    secrets: [secret({ other: 'eA==' })],
    says: "False InvalidCertificateRef: invalid certificate reference /Secret/own., found secret, but didn't have expected keys (cert and key) or (tls.crt and tls.key); found: other",
  },
  {
    what: 'that is no certificate',
    ref: { name: 'own' },
    secrets: [secret({ 'tls.crt': 'eA==', 'tls.key': 'eA==' })],
    says: 'False InvalidCertificateRef: invalid certificate reference /Secret/own., the certificate is malformed: tls: failed to find any PEM data in certificate input',
  },
  {
    what: 'of another namespace',
    ref: { name: 'site', namespace: 'certs' },
    secrets: [SITE!],
    says: 'False RefNotPermitted: certificateRef site/certs not accessible to a Gateway in namespace "edge" (missing a ReferenceGrant?)',
  },
])('a listener with a Secret $what says so, and is not programmed', ({ ref, secrets, says }) => {
  const https = {
    name: 'https',
    port: 443,
    protocol: 'HTTPS',
    tls: { certificateRefs: [ref] },
    ...FROM_ALL,
  };
  const { listeners } = frontStatus(...base([443]), ...secrets, gateway([https]));
  expect(named(listeners[0]!.conditions, 'ResolvedRefs')).toBe(says);
  expect(named(listeners[0]!.conditions, 'Programmed')).toBe(
    'False Invalid: Bad TLS configuration',
  );
});

test('a certificate of another namespace is used once a grant is there (L124)', () => {
  const tls = { certificateRefs: [{ name: 'site', namespace: 'certs' }] };
  const https = { name: 'https', port: 443, protocol: 'HTTPS', tls, ...FROM_ALL };
  const cluster = new TestCluster([...base([443]), SITE!, gateway([https])]);
  const programmed = () => {
    const { listeners } = statusesOf(cluster)['Gateway/edge/front'] as Said;
    return named(listeners[0]!.conditions, 'Programmed');
  };
  expect(programmed()).toMatch(/^False/);
  cluster.put(
    object('ReferenceGrant', 'certs/grant', {
      from: [{ group: 'gateway.networking.k8s.io', kind: 'Gateway', namespace: 'edge' }],
      to: [{ group: '', kind: 'Secret', name: 'site' }],
    }),
  );
  expect(programmed()).toMatch(/^True/);
});

test('routes count at listeners that take them, also where nothing they lead to is there (L120)', () => {
  const kinds = [{ kind: 'GRPCRoute' }, { kind: 'Weird' }];
  const { listeners } = frontStatus(
    ...base(),
    gateway([
      HTTP,
      {
        ...HTTP,
        name: 'grpc',
        hostname: 'g.test',
        allowedRoutes: { namespaces: { from: 'All' }, kinds },
      },
    ]),
    object('HTTPRoute', 'shop/r', {
      parentRefs: [FRONT],
      rules: [{ backendRefs: [{ name: 'no', port: 1 }] }],
    }),
  );
  expect(listeners.map(({ attachedRoutes }) => attachedRoutes)).toEqual([1, 0]);
  expect(named(listeners[1]!.conditions, 'ResolvedRefs')).toBe(
    'False InvalidRouteKinds: Invalid route kinds',
  );
});

test.for([
  {
    what: 'a name that its listener does not have (L060)',
    spec: { hostnames: ['b.test'] },
    says: 'False NoMatchingListenerHostname: no hostnames matched parent hostname "a.test"',
  },
  {
    what: 'a port that no listener has (L104)',
    spec: { parentRefs: [{ ...FRONT, port: 81 }] },
    says: 'False NoMatchingParent: port 81 not found',
  },
  {
    what: 'a kind that its listener does not take',
    kind: 'TCPRoute',
    spec: {},
    says: 'False NotAllowedByListeners: kind gateway.networking.k8s.io/v1/TCPRoute is not allowed',
  },
])('a route with $what is not accepted', ({ kind = 'HTTPRoute', spec, says }) => {
  const rules = [{ backendRefs: [{ name: 'cart', port: 80 }] }];
  const cluster = new TestCluster([
    ...base(),
    gateway([{ ...HTTP, hostname: 'a.test' }]),
    object(kind, 'shop/r', { parentRefs: [FRONT], rules, ...spec }),
  ]);
  const { parents } = statusesOf(cluster)[`${kind}/shop/r`] as { parents: readonly Said[] };
  expect(named(parents[0]!.conditions, 'Accepted')).toBe(says);
});

test('a backend and a mirror of another namespace need a grant at a Gateway, and none in the mesh', () => {
  const backend = { name: 'cart', namespace: 'shop', port: 80 };
  const mirror = { type: 'RequestMirror', requestMirror: { backendRef: backend } };
  const service = { group: '', kind: 'Service', name: 'cart', namespace: 'shop' };
  const cluster = new TestCluster([
    ...base(),
    gateway([HTTP]),
    object('HTTPRoute', 'edge/r', {
      parentRefs: [FRONT, service],
      rules: [{ filters: [mirror], backendRefs: [backend] }],
    }),
  ]);
  const { parents } = statusesOf(cluster)['HTTPRoute/edge/r'] as { parents: readonly Said[] };
  expect(parents.map(({ conditions }) => named(conditions, 'ResolvedRefs'))).toEqual([
    'False RefNotPermitted: backendRef cart/shop not accessible to a HTTPRoute in namespace "edge" (missing a ReferenceGrant?)',
    'True ResolvedRefs: All references resolved',
  ]);
});

function set(key: string, gatewayName = 'front'): TestObject {
  const parentRef = { name: gatewayName, namespace: 'edge' };
  const listeners = [{ ...HTTP, name: 'extra', hostname: 'set.test' }];
  return object('ListenerSet', key, { parentRef, listeners });
}

test.for([
  { what: 'nobody', allowed: undefined, key: 'edge/s', says: 'False NotAllowed' },
  {
    what: 'none',
    allowed: { namespaces: { from: 'None' } },
    key: 'edge/s',
    says: 'False NotAllowed',
  },
  {
    what: 'its own namespace',
    allowed: { namespaces: { from: 'Same' } },
    key: 'edge/s',
    says: 'True Accepted',
  },
  {
    what: 'its own namespace',
    allowed: { namespaces: { from: 'Same' } },
    key: 'shop/s',
    says: 'False NotAllowed',
  },
  {
    what: 'namespaces with a label',
    allowed: { namespaces: { from: 'Selector', selector: { matchLabels: { team: 'shop' } } } },
    key: 'shop/s',
    says: 'True Accepted',
  },
])('a ListenerSet $key of a Gateway that lets in $what: $says (L121)', ({ allowed, key, says }) => {
  const spec = allowed === undefined ? {} : { allowedListeners: allowed };
  const { derivation } = new TestCluster([...base(), gateway([HTTP], spec), set(key)]);
  const { cluster, mesh, routing } = derivation;
  const inputs = { cluster, mesh, gatewayApi: routing.gatewayApi, settings: SETTINGS };
  const derived = deriveSetStatus(cluster.of('ListenerSet').get(key)!, inputs, UNTRACKED)!;
  expect(named(derived.conditions, 'Accepted')).toMatch(new RegExp(`^${says}: `));
  expect(derived.listeners).toHaveLength(says.startsWith('True') ? 1 : 0);
});

test('waypoints have no ListenerSets, and of those of others nothing is said', () => {
  const waypoint = object('Gateway', 'edge/wp', {
    gatewayClassName: 'istio-waypoint',
    listeners: [],
  });
  const { derivation } = new TestCluster([
    ...base(),
    waypoint,
    set('edge/a', 'wp'),
    set('edge/b', 'no'),
  ]);
  const { cluster, mesh, routing } = derivation;
  const inputs = { cluster, mesh, gatewayApi: routing.gatewayApi, settings: SETTINGS };
  const said = ['edge/a', 'edge/b'].map((key) => {
    const derived = deriveSetStatus(cluster.of('ListenerSet').get(key)!, inputs, UNTRACKED);
    return derived === null ? null : named(derived.conditions, 'Accepted');
  });
  expect(said).toEqual([
    'False NotAllowed: The "istio-waypoint" GatewayClass does not support ListenerSet',
    null,
  ]);
});
