import { expect, test } from 'vitest';
import { TestCluster, type TestObject, valuesOf } from './derivation.fixture.ts';
import { conditionsOfEntry } from './service-entry-status.ts';

/** What the recordings 18 to 20, 30 and 31 do not show. */
interface Given {
  readonly namespace?: string;
  readonly name?: string;
  readonly createdAt?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly spec?: object;
  readonly status?: object;
}

const PORTS = [{ number: 80, name: 'http', protocol: 'HTTP' }];

function entry(given: Given = {}): TestObject {
  const { namespace = 'ns1', name = 'se', createdAt = '2026-01-01T00:00:00Z', labels = {} } = given;
  const metadata = { namespace, name, labels, creationTimestamp: createdAt };
  const spec = { hosts: ['foo.com'], resolution: 'DNS', ports: PORTS, ...given.spec };
  return { kind: 'ServiceEntry', metadata, spec, status: given.status };
}

function addressesOf(object: TestObject): string[] {
  const [service] = valuesOf(new TestCluster([object]).derivation.mesh.services);
  return service!.resource.value.addresses.map(({ address, prefixLength }) =>
    prefixLength === null ? address : `${address}/${prefixLength}`,
  );
}

const GIVEN = {
  addresses: [
    { host: 'foo.com', value: '240.240.0.1' },
    { host: 'foo.com', value: '2001:2::1' },
    { host: 'bar.com', value: '240.240.0.2' },
  ],
};

test.for([
  { addresses: ['10.0.0.0/24'], seen: ['10.0.0.0/24'] },
  { addresses: ['10.0.0.5/24'], seen: ['10.0.0.0/24'] },
  { addresses: ['1.2.3.4/32'], seen: ['1.2.3.4'] },
  { addresses: ['2001:DB8::5/64', '2001:db8::5/128'], seen: ['2001:db8::/64', '2001:db8::5'] },
  { addresses: ['10.1.2.3/0', '10.0.0.0/33', 'nowhere'], seen: ['0.0.0.0/0'] },
])('the addresses $addresses are $seen (P058)', ({ addresses, seen }) => {
  expect(addressesOf(entry({ spec: { addresses } }))).toEqual(seen);
});

test.for([
  { why: 'its host has them', given: {}, seen: ['240.240.0.1', '2001:2::1'] },
  { why: 'it names its own', given: { spec: { addresses: ['1.2.3.4'] } }, seen: ['1.2.3.4'] },
  {
    why: 'connections go where they were going',
    given: { spec: { resolution: 'NONE' } },
    seen: [],
  },
  {
    why: 'its label says no',
    given: { labels: { 'networking.istio.io/enable-autoallocate-ip': 'False' } },
    seen: [],
  },
])(
  'of allocated addresses an entry has $seen, as $why (P051, P053, P054, P055)',
  ({ given, seen }) => {
    expect(addressesOf(entry({ ...given, status: GIVEN }))).toEqual(seen);
  },
);

test.for([
  { resolution: 'DNS', seen: [] },
  { resolution: 'STATIC', seen: [] },
  { resolution: 'DYNAMIC_DNS', seen: ['240.240.0.9'] },
])('a wildcard has allocated addresses with $resolution: $seen (P056)', ({ resolution, seen }) => {
  const status = { addresses: [{ host: '*.foo.com', value: '240.240.0.9' }] };
  expect(addressesOf(entry({ spec: { hosts: ['*.foo.com'], resolution }, status }))).toEqual(seen);
});

/** Which objects there are of a hostname, by `namespace/name`, and whether each is canonical. */
function servicesOf({ derivation }: TestCluster, hostname = 'foo.com'): Record<string, boolean> {
  const services = valuesOf(derivation.mesh.services).filter(
    ({ service }) => service.hostname === hostname,
  );
  const said = services.map(({ resource: { value } }) => [
    `${value.namespace}/${value.name}`,
    value.canonical,
  ]);
  return Object.fromEntries(said);
}

test('of entries with one host in one namespace the oldest is served, with its endpoints, until it is gone (P061, P064)', () => {
  const old = entry({ name: 'se-11', spec: { resolution: 'DNS' } });
  const middle = entry({ name: 'se-1', createdAt: '2026-01-02T00:00:00Z' });
  const young = entry({ name: 'se-2', createdAt: '2026-01-02T00:00:00Z' });
  const cluster = new TestCluster([young, middle, old]);
  const uids = (): string[] => [...cluster.derivation.mesh.workloads.entries()].map(([uid]) => uid);
  expect(servicesOf(cluster)).toEqual({ 'ns1/se-11': true });
  expect(uids()).toEqual(['Kubernetes/networking.istio.io/ServiceEntry/ns1/se-11/foo.com']);
  cluster.toggle(old);
  expect(servicesOf(cluster)).toEqual({ 'ns1/se-1': true });
  cluster.toggle(middle);
  expect(servicesOf(cluster)).toEqual({ 'ns1/se-2': true });
  expect(uids()).toEqual(['Kubernetes/networking.istio.io/ServiceEntry/ns1/se-2/foo.com']);
});

test('a Service takes its hostname from an entry of its namespace, and is canonical before older ones of others (P062)', () => {
  const hosts = ['s.ns1.svc.cluster.local'];
  const own = entry({ spec: { hosts } });
  const foreign = entry({ namespace: 'ns2', spec: { hosts }, createdAt: '2020-01-01T00:00:00Z' });
  const service: TestObject = {
    kind: 'Service',
    metadata: { namespace: 'ns1', name: 's' },
    spec: { clusterIP: '10.0.0.1', ports: [{ port: 80 }] },
  };
  const cluster = new TestCluster([own, foreign]);
  expect(servicesOf(cluster, hosts[0])).toEqual({ 'ns1/se': false, 'ns2/se': true });
  cluster.put(service);
  expect(servicesOf(cluster, hosts[0])).toEqual({ 'ns1/s': true, 'ns2/se': false });
});

function meshConfig(mesh: string): TestObject {
  const metadata = { namespace: 'istio-system', name: 'istio' };
  return { kind: 'MeshConfigMap', metadata, data: { mesh } };
}

function visibility(policies: string): TestObject {
  return meshConfig(`serviceEntryVisibility: {${policies}}`);
}

const TEAM: TestObject = {
  kind: 'Namespace',
  metadata: { name: 'ns1', labels: { tier: 'team' } },
};
const MATCHING = 'matchingRules: [{namespaceSelector: {matchLabels: {tier: team}}}]';
const OTHER = 'matchingRules: [{namespaceSelector: {matchLabels: {tier: other}}}]';

test.for([
  { rules: `policies: [{visibility: NAMESPACE, ${MATCHING}}]`, seen: 'namespace' },
  { rules: 'defaultVisibility: NONE', seen: undefined },
  {
    rules: `policies: [{visibility: NONE, ${OTHER}}], defaultVisibility: NAMESPACE`,
    seen: 'namespace',
  },
  {
    rules: `policies: [{visibility: NAMESPACE, ${MATCHING}}, {visibility: NONE, ${MATCHING}}]`,
    seen: 'namespace',
  },
  {
    rules: 'policies: [{visibility: NAMESPACE, matchingRules: [{namespaceSelector: {}}]}]',
    seen: 'namespace',
  },
  { rules: `policies: [{visibility: NAMESPACE, ${OTHER}}]`, seen: 'public' },
])('with $rules an entry is visible as $seen (P059)', ({ rules, seen }) => {
  const { services } = new TestCluster([TEAM, entry(), visibility(rules)]).derivation.mesh;
  expect(valuesOf(services).map(({ resource }) => resource.value.visibility)).toEqual(
    seen === undefined ? [] : [seen],
  );
});

test('an entry that only its namespace sees is never canonical, however old (P061, P063)', () => {
  const old = entry({ createdAt: '2020-01-01T00:00:00Z' });
  const rules = visibility(`policies: [{visibility: NAMESPACE, ${MATCHING}}]`);
  const cluster = new TestCluster([TEAM, rules, old, entry({ namespace: 'ns2' })]);
  expect(servicesOf(cluster)).toEqual({ 'ns1/se': false, 'ns2/se': true });
});

test('the configuration of the mesh moves its trust domain and its root namespace, and back (P100)', () => {
  const pod: TestObject = {
    kind: 'Pod',
    metadata: { namespace: 'ns1', name: 'p', labels: { app: 'a' } },
    status: { podIP: '10.1.0.1' },
  };
  const policy: TestObject = {
    kind: 'AuthorizationPolicy',
    metadata: { namespace: 'root', name: 'all' },
    spec: { selector: { matchLabels: { app: 'a' } } },
  };
  const cluster = new TestCluster([pod, policy]);
  cluster.put({
    kind: 'AuthorizationPolicy',
    metadata: { namespace: 'ns1', name: 'class' },
    spec: { targetRefs: [{ kind: 'GatewayClass', name: 'istio-waypoint' }] },
  });
  const said = (): string | undefined =>
    cluster.derivation.mesh.policies.get('ns1/class')?.attachment?.message;
  const seen = (): unknown => {
    const [{ value } = { value: null }] = valuesOf(cluster.derivation.mesh.workloads);
    return [value?.trustDomain, value?.authorizationPolicies];
  };
  expect(seen()).toEqual(['cluster.local', []]);
  expect(said()).toContain('must be in the root namespace `istio-system`');
  const config = meshConfig('trustDomain: corp.example\nrootNamespace: root');
  cluster.put(config);
  expect(seen()).toEqual(['corp.example', ['root/all']]);
  expect(said()).toContain('must be in the root namespace `root`');
  cluster.toggle(config);
  expect(seen()).toEqual(['cluster.local', []]);
});

test('each host of an entry is a service, with the addresses and identities of the entry, or those it was given (P050, P052)', () => {
  const hosts = ['a.com', 'b.com'];
  const subjectAltNames = ['spiffe://other/ns/x/sa/y'];
  const own = entry({ name: 'own', spec: { hosts, addresses: ['1.2.3.4'], subjectAltNames } });
  const addresses = hosts.map((host, index) => ({ host, value: `240.240.0.${index + 1}` }));
  const given = entry({ namespace: 'ns2', spec: { hosts }, status: { addresses } });
  const { services } = new TestCluster([own, given]).derivation.mesh;
  const seen = valuesOf(services).map(({ resource: { name, value } }) => [
    name,
    value.addresses.map(({ address }) => address),
    value.subjectAltNames,
    value.ports,
  ]);
  const ports = [{ servicePort: 80, targetPort: 80, appProtocol: 'http11' }];
  expect(seen).toEqual([
    ['ns1/a.com', ['1.2.3.4'], subjectAltNames, ports],
    ['ns1/b.com', ['1.2.3.4'], subjectAltNames, ports],
    ['ns2/a.com', ['240.240.0.1'], [], ports],
    ['ns2/b.com', ['240.240.0.2'], [], ports],
  ]);
});

function waypoint(namespace: string): TestObject {
  const allowedRoutes = { namespaces: { from: 'All' } };
  return {
    kind: 'Gateway',
    metadata: { namespace, name: 'wp' },
    spec: {
      gatewayClassName: 'istio-waypoint',
      listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE', allowedRoutes }],
    },
    status: { addresses: [{ type: 'Hostname', value: `wp.${namespace}.svc.cluster.local` }] },
  };
}

const TO_NS2 = { 'istio.io/use-waypoint': 'wp', 'istio.io/use-waypoint-namespace': 'ns2' };
const TO_OWN = { 'istio.io/use-waypoint': 'wp' };
const FEW = visibility('defaultVisibility: NAMESPACE');

test.for([
  { who: 'few', rules: [FEW], labels: TO_NS2, reason: 'CrossNamespaceWaypointForbidden' },
  { who: 'few', rules: [FEW], labels: TO_OWN, reason: 'WaypointAccepted' },
  { who: 'all', rules: [], labels: TO_NS2, reason: 'WaypointAccepted' },
])('an entry that $who see, labelled $labels: $reason (P060)', ({ rules, labels, reason }) => {
  const objects = [waypoint('ns1'), waypoint('ns2'), entry({ labels }), ...rules];
  const [served] = valuesOf(new TestCluster(objects).derivation.mesh.services);
  expect(served?.condition?.reason).toBe(reason);
  expect(served?.resource.value.waypoint === null).toBe(reason !== 'WaypointAccepted');
});

test('a wildcard that is resolved as it is called has a waypoint, which else its status misses (P057)', () => {
  const ports = [{ number: 80, name: 'http', protocol: 'HTTP' }];
  const spec = { hosts: ['*.foo.com'], resolution: 'DYNAMIC_DNS', ports };
  const status = { addresses: [{ host: '*.foo.com', value: '240.240.0.9' }] };
  const said = (labels: Given['labels']) => {
    const objects = [waypoint('ns1'), entry({ spec, status, ...(labels && { labels }) })];
    const { services } = new TestCluster(objects).derivation.mesh;
    const [served] = valuesOf(services);
    const conditions = conditionsOfEntry(valuesOf(services), false);
    return [served?.resource.value.waypoint !== null, conditions.map(({ reason }) => reason)];
  };
  expect(said(TO_OWN)).toEqual([true, ['WaypointAccepted']]);
  ports.push({ number: 5432, name: 'db', protocol: 'TCP' });
  expect(said(TO_OWN)).toEqual([true, ['WaypointAccepted', 'UnsupportedValue']]);
  ports.pop();
  expect(said(undefined)).toEqual([false, ['NoWaypointForWildcardService']]);
  expect(said({ 'istio.io/use-waypoint': 'ghost' })).toEqual([
    false,
    ['WaypointIsNotReady', 'NoWaypointForWildcardService'],
  ]);
});

test('a policy with three entries as targets names those that it is not attached to (P099)', () => {
  const targetRefs = ['bound', 'free', 'missing'].map((name) => ({
    group: 'networking.istio.io',
    kind: 'ServiceEntry',
    name,
  }));
  const policy: TestObject = {
    kind: 'AuthorizationPolicy',
    metadata: { namespace: 'ns1', name: 'p' },
    spec: { targetRefs },
  };
  const bound = entry({ name: 'bound', labels: TO_OWN });
  const free = entry({ name: 'free', spec: { hosts: ['bar.com'] } });
  const { policies } = new TestCluster([waypoint('ns1'), bound, free, policy]).derivation.mesh;
  expect(policies.get('ns1/p')?.attachment).toEqual({
    status: 'True',
    reason: 'PartiallyInvalid',
    message:
      'Invalid targetRefs: ServiceEntry.networking.istio.io:ns1/free, ServiceEntry.networking.istio.io:ns1/missing',
  });
});

test('a pod that an entry selects serves the ports that it calls like the entry does, and others by number (P007)', () => {
  const pod: TestObject = {
    kind: 'Pod',
    metadata: { namespace: 'ns1', name: 'p', labels: { app: 'a' } },
    spec: { containers: [{ name: 'c', ports: [{ name: 'http', containerPort: 8000 }] }] },
    status: { podIP: '10.1.0.1' },
  };
  const ports = [
    { number: 8002, name: 'http' },
    { number: 8003, name: 'other', targetPort: 9003 },
  ];
  const spec = { resolution: 'STATIC', workloadSelector: { labels: { app: 'a' } }, ports };
  const { workloads } = new TestCluster([pod, entry({ spec })]).derivation.mesh;
  expect(valuesOf(workloads)[0]?.value.services.get('ns1/foo.com')).toMatchObject([
    { servicePort: 8002, targetPort: 8000 },
    { servicePort: 8003, targetPort: 9003 },
  ]);
});
