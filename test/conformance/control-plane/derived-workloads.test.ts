import { describe, expect, test } from 'vitest';
import { namespaceObject, podObject } from '../../fixtures/control-plane.ts';
import { deriveMesh } from '../../fixtures/derived-mesh.ts';
import type { ApiObject } from '../../fixtures/scripted-kubernetes-api.ts';
import { gatewayObject } from '../../fixtures/waypoint-process.ts';

/** What node proxies are told of pods and endpoints. */
const NETWORK = namespaceObject('istio-system', { 'topology.istio.io/network': 'nw' });

interface PodFields {
  readonly metadata?: object;
  readonly spec?: object;
  readonly status?: object;
}

/** A ready pod `shop/web` at 10.0.0.1 without labels, unless said otherwise. */
function pod({ metadata = {}, spec = {}, status = {} }: PodFields = {}): ApiObject {
  const base = podObject('shop', 'web', { labels: {} });
  return {
    ...base,
    metadata: { ...base.metadata, ...metadata },
    spec: { ...(base.spec as object), ...spec },
    status: { ...(base.status as object), ...status },
  };
}

const PENDING = { phase: 'Pending', conditions: [] };
const WITHOUT_ADDRESS = { podIP: undefined, podIPs: undefined };
const APP = { metadata: { labels: { app: 'foo' } } };

function service(name: string, ports: readonly object[], spec: object = {}): ApiObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'shop', name, uid: name },
    spec: { clusterIP: '10.96.0.1', selector: { app: 'foo' }, ports, ...spec },
  };
}

const keyOf = (name: string): string => `shop/${name}.shop.svc.cluster.local`;

/** Ports of a Service at the pod, as `80→8080`. */
function portsAt(objects: readonly ApiObject[], name: string, uid = 'Kubernetes//Pod/shop/web') {
  const ports = deriveMesh(objects).workload(uid)?.services.get(keyOf(name));
  return ports?.map(({ servicePort, targetPort }) => `${servicePort}→${targetPort}`) ?? null;
}

test('a pod without an address is not told of (P001)', () => {
  expect(
    deriveMesh([pod({ status: { ...PENDING, ...WITHOUT_ADDRESS } })]).pod('shop/web'),
  ).toBeNull();
});

test('a pod that has an address is, before it is ready (P002)', () => {
  expect(deriveMesh([NETWORK, pod({ status: PENDING })]).pod('shop/web')).toMatchObject({
    uid: 'Kubernetes//Pod/shop/web',
    addresses: ['10.0.0.1'],
    network: 'nw',
    workloadType: 'pod',
    workloadName: 'web',
    canonicalName: 'web',
    canonicalRevision: 'latest',
    clusterId: 'Kubernetes',
    status: 'unhealthy',
  });
});

test('of pods only those that are ready are healthy (P003), and those without an address are none (P015)', () => {
  const named = (name: string, ip: string, status: object = {}) =>
    pod({
      metadata: { name, uid: name },
      status: { podIP: ip, podIPs: [{ ip }], ...status },
    });
  const mesh = deriveMesh([
    named('ready', '10.0.0.1'),
    named('running', '10.0.0.2', { conditions: [{ type: 'Ready', status: 'False' }] }),
    named('pending', '10.0.0.3', PENDING),
    named('new', '10.0.0.4', { ...PENDING, ...WITHOUT_ADDRESS }),
  ]);
  const statuses = ['ready', 'running', 'pending', 'new'].map(
    (name) => mesh.pod(`shop/${name}`)?.status ?? null,
  );
  expect(statuses).toEqual(['healthy', 'unhealthy', 'unhealthy', null]);
});

test('a pod of a ReplicaSet has its name, and stays itself (P004)', () => {
  const ownerReferences = [{ kind: 'ReplicaSet', name: 'rs', controller: true }];
  const metadata = { name: 'rs-xvnqd', generateName: 'rs-', ownerReferences };
  expect(deriveMesh([pod({ metadata })]).pod('shop/rs-xvnqd')).toMatchObject({
    uid: 'Kubernetes//Pod/shop/rs-xvnqd',
    name: 'rs-xvnqd',
    workloadName: 'rs',
    canonicalName: 'rs',
  });
});

test('a Service that selects a pod is at its ports (P005)', () => {
  const objects = [pod(APP), service('svc', [{ port: 80, targetPort: 8080 }])];
  expect(deriveMesh(objects).pod('shop/web')).toMatchObject({
    canonicalName: 'foo',
    status: 'healthy',
  });
  expect(portsAt(objects, 'svc')).toEqual(['80→8080']);
});

test('a port by name is that of the container, and none where it has no such name (P006)', () => {
  const containers = [
    { name: 'c', image: 'x', ports: [{ name: '81-target', containerPort: 9090 }] },
  ];
  const ports = [
    { port: 80, targetPort: 8080, name: 'a' },
    { port: 81, targetPort: '81-target', name: 'b' },
    { port: 82, targetPort: '82-target', name: 'c' },
  ];
  const objects = [pod({ ...APP, spec: { containers } }), service('svc', ports)];
  expect(portsAt(objects, 'svc')).toEqual(['80→8080', '81→9090']);
});

test('a pod is where its node is (P008)', () => {
  const node: ApiObject = {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name: 'n1',
      labels: {
        'topology.kubernetes.io/region': 'region',
        'topology.kubernetes.io/zone': 'zone',
      },
    },
  };
  expect(deriveMesh([node, pod()]).pod('shop/web')).toMatchObject({
    node: 'n1',
    locality: { region: 'region', zone: 'zone', subzone: '' },
  });
});

test('a pod lists the policies that select it, of its namespace and of the root, in order (P009)', () => {
  const policy = (namespace: string, name: string, app: string): ApiObject => ({
    apiVersion: 'security.istio.io/v1',
    kind: 'AuthorizationPolicy',
    metadata: { namespace, name, uid: name },
    spec: { selector: { matchLabels: { app } } },
  });
  const mesh = deriveMesh([
    pod(APP),
    policy('far', 'elsewhere', 'foo'),
    policy('shop', 'local', 'foo'),
    policy('shop', 'other', 'not-foo'),
    policy('istio-system', 'root', 'foo'),
  ]);
  expect(mesh.pod('shop/web')?.authorizationPolicies).toEqual(['istio-system/root', 'shop/local']);
});

describe('a label of a pod', () => {
  test('binds it to a waypoint for workloads (P010)', () => {
    const labelled = pod({ metadata: { labels: { 'istio.io/use-waypoint': 'waypoint' } } });
    expect(deriveMesh([gatewayObject('all'), labelled]).pod('shop/web')?.waypoint).toMatchObject({
      destination: { kind: 'address', address: '10.96.0.60' },
      hboneMtlsPort: 15008,
    });
  });

  test('that makes it part of a waypoint leaves it without one (P011)', () => {
    const labels = {
      'istio.io/use-waypoint': 'waypoint',
      'gateway.networking.k8s.io/gateway-name': 'waypoint',
    };
    const instance = pod({ metadata: { labels } });
    expect(deriveMesh([gatewayObject('all'), instance]).pod('shop/web')?.waypoint).toBeNull();
  });
});

describe('an endpoint that somebody wrote for a Service', () => {
  const slice = (endpoint: object): ApiObject => ({
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: {
      namespace: 'shop',
      name: 'svc-1',
      uid: 'slice',
      labels: { 'kubernetes.io/service-name': 'svc' },
    },
    addressType: 'IPv4',
    ports: [{ name: 'http', port: 8080, protocol: 'TCP' }],
    endpoints: [{ addresses: ['10.0.0.1'], ...endpoint }],
  });
  const manual = service('svc', [{ name: 'http', port: 80, targetPort: 8080 }], {
    selector: undefined,
  });
  const uid = 'Kubernetes/discovery.k8s.io/EndpointSlice/shop/svc-1/10.0.0.1';

  test('is the pod that it refers to (P012)', () => {
    const targetRef = { kind: 'Pod', namespace: 'shop', name: 'web', uid: 'uid-web' };
    const objects = [pod(), manual, slice({ targetRef })];
    expect(portsAt(objects, 'svc')).toEqual(['80→8080']);
    expect(deriveMesh(objects).workload(uid)).toBeNull();
  });

  test('is one of its own if it refers to none (P013)', () => {
    const objects = [pod(), manual, slice({})];
    expect(portsAt(objects, 'svc')).toBeNull();
    expect(portsAt(objects, 'svc', uid)).toEqual(['80→8080']);
  });

  test('is the API server, for one (P032)', () => {
    const named = {
      metadata: { namespace: 'default', name: 'kubernetes' },
      apiVersion: 'discovery.k8s.io/v1',
    };
    const labels = { 'kubernetes.io/service-name': 'kubernetes' };
    const mesh = deriveMesh([
      {
        ...service('kubernetes', [{ name: 'https', port: 443, targetPort: 6443 }], {
          selector: undefined,
        }),
        metadata: { namespace: 'default', name: 'kubernetes', uid: 'k' },
      },
      {
        ...named,
        kind: 'EndpointSlice',
        metadata: { ...named.metadata, uid: 'ks', labels },
        addressType: 'IPv4',
        ports: [{ name: 'https', port: 6443, protocol: 'TCP' }],
        endpoints: [{ addresses: ['172.18.0.5'] }],
      },
    ]);
    const workload = mesh.workload(
      'Kubernetes/discovery.k8s.io/EndpointSlice/default/kubernetes/172.18.0.5',
    );
    expect(workload).toMatchObject({ networkMode: 'host-network', addresses: ['172.18.0.5'] });
    expect(workload?.services.get('default/kubernetes.default.svc.cluster.local')).toMatchObject([
      { servicePort: 443, targetPort: 6443 },
    ]);
  });
});

test('a pod on the network of its node serves every Service that selects it (P014)', () => {
  const objects = [
    pod({ ...APP, spec: { hostNetwork: true } }),
    service('one', [{ port: 80, targetPort: 8080 }]),
    service('two', [{ port: 81, targetPort: 8080 }]),
  ];
  const workload = deriveMesh(objects).pod('shop/web');
  expect(workload?.networkMode).toBe('host-network');
  expect([...(workload?.services.keys() ?? [])].toSorted()).toEqual(['one', 'two'].map(keyOf));
});

test.for([
  ['enabled', 'hbone'],
  ['pending', 'tcp'],
  [undefined, 'tcp'],
])('a pod whose redirection is %s is reached by %s (P016)', ([redirection, protocol]) => {
  const annotations =
    redirection === undefined ? {} : { 'ambient.istio.io/redirection': redirection };
  expect(deriveMesh([pod({ metadata: { annotations } })]).pod('shop/web')?.protocol).toBe(protocol);
});

test('the network that the root namespace names is that of every workload (P144)', () => {
  const networks = ['one', 'two'].map((network) => {
    const root = namespaceObject('istio-system', { 'topology.istio.io/network': network });
    const mesh = deriveMesh([root, pod(), pod({ metadata: { name: 'second', uid: 's' } })]);
    return ['web', 'second'].map((name) => mesh.pod(`shop/${name}`)?.network);
  });
  expect(networks).toEqual([
    ['one', 'one'],
    ['two', 'two'],
  ]);
});
