import type { Workload } from '@aquifer/model';
import { expect, test } from 'vitest';
import { TestCluster, type TestObject, valuesOf } from './derivation.fixture.ts';

/** What the recordings 18 to 21 and 29 do not show. */
function workloadEntry(spec: object, labels: Readonly<Record<string, string>> = {}): TestObject {
  return { kind: 'WorkloadEntry', metadata: { namespace: 'ns', name: 'vm', labels }, spec };
}

function onlyWorkload(...objects: readonly TestObject[]): Workload {
  const { workloads } = new TestCluster(objects).derivation.mesh;
  return valuesOf(workloads).find(({ name }) => name.includes('/WorkloadEntry/'))!.value;
}

function portsBehind(workload: Workload, hostname: string): (readonly [number, number])[] {
  const ports = workload.services.get(`ns/${hostname}`) ?? [];
  return ports.map(({ servicePort, targetPort }) => [servicePort, targetPort]);
}

test('a Service finds its ports by the names that an entry gives to its own (P017, P019, P020)', () => {
  const service: TestObject = {
    kind: 'Service',
    metadata: { namespace: 'ns', name: 's' },
    spec: {
      clusterIP: '10.0.0.1',
      selector: { app: 'foo' },
      ports: [
        { name: '80', port: 80, targetPort: 8080 },
        { name: '81', port: 81, targetPort: 8081 },
        { name: '82', port: 82, targetPort: '82-target' },
        { name: '83', port: 83, targetPort: '83-target' },
      ],
    },
  };
  const ports = { '81': 8180, '82-target': 8280 };
  const entry = workloadEntry({ address: '1.2.3.4', labels: { app: 'foo' }, ports });
  expect(portsBehind(onlyWorkload(service, entry), 's.ns.svc.cluster.local')).toEqual([
    [80, 8080],
    [81, 8180],
    [82, 8280],
  ]);
});

test('a ServiceEntry finds its ports by name, else by its own target, else by their number (P021)', () => {
  const services: TestObject = {
    kind: 'ServiceEntry',
    metadata: { namespace: 'ns', name: 'se' },
    spec: {
      hosts: ['foo.com'],
      resolution: 'STATIC',
      workloadSelector: { labels: { app: 'foo' } },
      ports: [
        { number: 80, name: 'a', targetPort: 8080 },
        { number: 81, name: 'b', targetPort: 8081 },
        { number: 82, name: 'c' },
      ],
    },
  };
  const ports = { a: 9090 };
  const entry = workloadEntry({ address: '1.2.3.4', labels: { app: 'foo' }, ports });
  expect(portsBehind(onlyWorkload(services, entry), 'foo.com')).toEqual([
    [80, 9090],
    [81, 8081],
    [82, 82],
  ]);
});

function remoteGateway(address: object, rest: object = {}): TestObject {
  return {
    kind: 'Gateway',
    metadata: {
      namespace: 'gate',
      name: 'far',
      labels: { 'topology.istio.io/network': 'remote' },
    } as TestObject['metadata'],
    spec: {
      gatewayClassName: 'istio-remote',
      listeners: [{ name: 'cross', port: 15443, protocol: 'HBONE' }],
      ...rest,
    },
    status: { addresses: [address] },
  };
}

test.for([
  {
    address: { type: 'IPAddress', value: '9.9.9.9' },
    destination: { kind: 'address', network: 'remote', address: '9.9.9.9' },
  },
  {
    address: { type: 'Hostname', value: 'far.example.com' },
    destination: { kind: 'hostname', namespace: 'gate', hostname: 'far.example.com' },
  },
])('an entry of another network is reached by its gateway at $address.value (P022)', (given) => {
  const { address, destination } = given;
  const entry = workloadEntry({ address: '1.2.3.4', network: 'remote' });
  const { network, networkGateway } = onlyWorkload(entry, remoteGateway(address));
  expect([network, networkGateway]).toEqual(['remote', { destination, hboneMtlsPort: 15443 }]);
});

test.for([
  { why: 'without an HBONE listener', rest: { listeners: [] } },
  { why: 'of another class', rest: { gatewayClassName: 'istio-waypoint' } },
])('a Gateway $why is no way into a network', ({ rest }) => {
  const entry = workloadEntry({ address: '1.2.3.4', network: 'remote' });
  const gateway = remoteGateway({ type: 'IPAddress', value: '9.9.9.9' }, rest);
  expect(onlyWorkload(entry, gateway).networkGateway).toBeNull();
});

const WAYPOINT: TestObject = {
  kind: 'Gateway',
  metadata: {
    namespace: 'ns',
    name: 'wp',
    labels: { 'istio.io/waypoint-for': 'service' },
    annotations: { 'ambient.istio.io/waypoint-inbound-binding': 'PROXY/15088' },
  } as TestObject['metadata'],
  spec: { gatewayClassName: 'istio-waypoint', listeners: [] },
  status: { addresses: [{ type: 'Hostname', value: 'wp.ns.svc.cluster.local' }] },
};

test('an entry that is an instance of a waypoint is tunnelled to as the waypoint says, and has none itself (P023)', () => {
  const labels = {
    'gateway.networking.k8s.io/gateway-name': 'wp',
    'istio.io/use-waypoint': 'wp',
  };
  const workload = onlyWorkload(WAYPOINT, workloadEntry({ address: '1.2.3.4' }, labels));
  expect(workload.applicationTunnel).toEqual({ protocol: 'proxy', port: 15088 });
  expect(workload.waypoint).toBeNull();
});

test.for([
  { who: 'an entry that asks itself', label: { 'istio.io/use-waypoint': 'wp' }, on: {} },
  { who: 'an entry whose namespace asks', label: {}, on: { 'istio.io/use-waypoint': 'wp' } },
])('a waypoint for services only: $who (P027, P028)', ({ label, on }) => {
  const namespace: TestObject = { kind: 'Namespace', metadata: { name: 'ns', labels: on } };
  const objects = [namespace, WAYPOINT, workloadEntry({ address: '1.2.3.4' }, label)];
  const { workloadEntries } = new TestCluster(objects).derivation.mesh;
  const reason = 'istio.io/use-waypoint' in label ? 'UnsupportedTrafficType' : undefined;
  expect(workloadEntries.get('ns/vm')?.condition?.reason).toBe(reason);
});

test('entries without an address are workloads of their own, found by no address (P031)', () => {
  const other = workloadEntry({ network: 'remote' });
  const objects = [
    workloadEntry({ network: 'remote' }),
    { ...other, metadata: { namespace: 'ns', name: 'vm2' } },
  ];
  const { workloads } = new TestCluster(objects).derivation.mesh;
  expect(valuesOf(workloads).map(({ value }) => [value.uid, value.addresses])).toEqual([
    ['Kubernetes/networking.istio.io/WorkloadEntry/ns/vm', []],
    ['Kubernetes/networking.istio.io/WorkloadEntry/ns/vm2', []],
  ]);
});

test('an endpoint of a ServiceEntry has the waypoint that its own labels ask for (P030)', () => {
  const waypoint = {
    ...WAYPOINT,
    metadata: { ...WAYPOINT.metadata, labels: { 'istio.io/waypoint-for': 'all' } },
  };
  const entry: TestObject = {
    kind: 'ServiceEntry',
    metadata: { namespace: 'ns', name: 'se' },
    spec: {
      hosts: ['foo.com'],
      resolution: 'STATIC',
      endpoints: [
        { address: '2.3.4.5' },
        { address: '3.4.5.6', labels: { 'istio.io/use-waypoint': 'wp' } },
      ],
    },
  };
  const { workloads } = new TestCluster([waypoint, entry]).derivation.mesh;
  expect(valuesOf(workloads).map(({ value }) => [value.uid, value.waypoint !== null])).toEqual([
    ['Kubernetes/networking.istio.io/ServiceEntry/ns/se/2.3.4.5', false],
    ['Kubernetes/networking.istio.io/ServiceEntry/ns/se/3.4.5.6', true],
  ]);
});

test('an entry that takes tunnels by itself says so by its label (P018)', () => {
  const entry = workloadEntry({ address: '1.2.3.4' }, { 'networking.istio.io/tunnel': 'http' });
  expect(onlyWorkload(entry)).toMatchObject({ protocol: 'hbone', nativeTunnel: true });
});

const FOR_ALL = {
  ...WAYPOINT,
  metadata: { ...WAYPOINT.metadata, labels: { 'istio.io/waypoint-for': 'all' } },
};

test.for([
  { name: 'wp', condition: { status: 'True', reason: 'WaypointAccepted' } },
  { name: 'ghost', condition: { status: 'False', reason: 'WaypointIsNotReady' } },
  { name: undefined, condition: null },
])('an entry that asks for waypoint $name says $condition (P024, P025, P026)', (given) => {
  const { name, condition } = given;
  const labels: Record<string, string> =
    name === undefined ? {} : { 'istio.io/use-waypoint': name };
  const objects = [FOR_ALL, workloadEntry({ address: '1.2.3.4' }, labels)];
  const said = new TestCluster(objects).derivation.mesh.workloadEntries.get('ns/vm')?.condition;
  if (condition === null) expect(said).toBeNull();
  else expect(said).toMatchObject(condition);
});

test('without endpoints each host that DNS is asked for is a workload of its own service alone (P029)', () => {
  const entry: TestObject = {
    kind: 'ServiceEntry',
    metadata: { namespace: 'ns', name: 'se' },
    spec: { hosts: ['a.com', 'b.com'], resolution: 'DNS', ports: [{ number: 80, name: 'http' }] },
  };
  const { workloads } = new TestCluster([entry]).derivation.mesh;
  const seen = valuesOf(workloads).map(({ value }) => [value.hostname, [...value.services.keys()]]);
  expect(seen).toEqual([
    ['a.com', ['ns/a.com']],
    ['b.com', ['ns/b.com']],
  ]);
});

test('the gateway of a network is a workload, whose identity is of the mesh (P142)', () => {
  const { workloads } = new TestCluster([remoteGateway({ type: 'IPAddress', value: '9.9.9.9' })])
    .derivation.mesh;
  expect(valuesOf(workloads)[0]?.value).toMatchObject({
    uid: 'NetworkGateway/remote/9.9.9.9/15443',
    namespace: 'gate',
    addresses: ['9.9.9.9'],
    network: 'remote',
    serviceAccount: 'far-istio-remote',
    trustDomain: 'cluster.local',
  });
});
