import type { Gateway, ObjectMeta } from '@aquifer/model/resources';
import { expect, test } from 'vitest';
import { GATEWAY_CONTROLLER, WAYPOINT_CONTROLLER } from '../derive/labels.ts';
import { waypointManifests } from './waypoint-manifests.ts';
import type { WaypointSettings } from './waypoint-settings.ts';

const SETTINGS = {
  image: 'aquifer/waypoint:dev',
  gatewayImage: 'istio/proxyv2:dev',
  imagePullSecrets: [],
  clusterId: 'Kubernetes',
  clusterDomain: 'cluster.local',
  trustDomain: 'cluster.local',
  systemNamespace: 'istio-system',
  caAddress: '',
  network: '',
  revision: 'default',
};

interface Extra {
  readonly metadata?: object;
  readonly spec?: object;
}

function gateway({ metadata = {}, spec = {} }: Extra = {}): Gateway {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { name: 'waypoint', namespace: 'shop', uid: 'g1', ...metadata },
    spec: {
      gatewayClassName: 'istio-waypoint',
      listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
      ...spec,
    },
  } as Gateway;
}

function manifestsOf(run: Gateway, settings: WaypointSettings = SETTINGS) {
  const controller =
    run.spec.gatewayClassName === 'istio' ? GATEWAY_CONTROLLER : WAYPOINT_CONTROLLER;
  const { listeners } = run.spec;
  const manifests = waypointManifests({ gateway: run, controller, listeners }, settings);
  if (!manifests.ok) throw new Error(manifests.error);
  return manifests.value;
}

const OWNED = {
  'gateway.istio.io/managed': 'istio.io-mesh-controller',
  'gateway.networking.k8s.io/gateway-name': 'waypoint',
  'gateway.networking.k8s.io/gateway-class-name': 'istio-waypoint',
};

test('a waypoint is a ServiceAccount, a Deployment and a Service, owned by its Gateway (P133)', () => {
  const manifests = manifestsOf(gateway());
  expect(manifests.map(({ kind }) => kind)).toEqual(['ServiceAccount', 'Deployment', 'Service']);
  for (const { metadata } of manifests) {
    expect(metadata).toMatchObject({
      name: 'waypoint',
      namespace: 'shop',
      labels: OWNED,
      ownerReferences: [{ kind: 'Gateway', name: 'waypoint', uid: 'g1' }],
    });
  }
});

test('its pod stays out of the mesh, runs istio-proxy as a waypoint, and finds the control plane (P133), without a network (P134)', () => {
  const [, deployment] = manifestsOf(gateway());
  expect(deployment).toMatchObject({
    spec: {
      selector: { matchLabels: { 'gateway.networking.k8s.io/gateway-name': 'waypoint' } },
      template: {
        metadata: {
          labels: {
            ...OWNED,
            'istio.io/dataplane-mode': 'none',
            'sidecar.istio.io/inject': 'false',
            'service.istio.io/canonical-name': 'waypoint',
            'service.istio.io/canonical-revision': 'latest',
          },
          annotations: { 'istio.io/rev': 'default', 'prometheus.io/port': '15020' },
        },
        spec: {
          serviceAccountName: 'waypoint',
          containers: [
            {
              name: 'istio-proxy',
              image: 'aquifer/waypoint:dev',
              args: expect.arrayContaining(['proxy', 'waypoint', 'waypoint.$(POD_NAMESPACE)']),
              env: expect.arrayContaining([
                { name: 'CA_ADDR', value: 'istiod.istio-system.svc:15012' },
                {
                  name: 'ISTIO_META_OWNER',
                  value: 'kubernetes://apis/apps/v1/namespaces/shop/deployments/waypoint',
                },
              ]),
              securityContext: {
                runAsNonRoot: true,
                runAsUser: 1337,
                readOnlyRootFilesystem: true,
              },
            },
          ],
        },
      },
    },
  });
  expect(JSON.stringify(deployment)).not.toContain('topology.istio.io/network');
});

test("its image is pulled with the installation's secrets", () => {
  const manifests = manifestsOf(gateway(), {
    ...SETTINGS,
    imagePullSecrets: ['registry', 'mirror'],
  });
  const imagePullSecrets = [{ name: 'registry' }, { name: 'mirror' }];
  expect(manifests[1]).toMatchObject({ spec: { template: { spec: { imagePullSecrets } } } });
});

test('its Service offers the status port and the mesh listener (P133)', () => {
  const [, , service] = manifestsOf(gateway());
  expect(service).toMatchObject({
    metadata: { annotations: { 'networking.istio.io/traffic-distribution': 'PreferClose' } },
    spec: {
      type: 'ClusterIP',
      ipFamilyPolicy: 'PreferDualStack',
      ports: [
        { name: 'status-port', port: 15021, protocol: 'TCP', appProtocol: 'tcp' },
        { name: 'mesh', port: 15008, protocol: 'TCP', appProtocol: 'all' },
      ],
    },
  });
});

test("the Gateway's labels and annotations are copied, kubectl's bookkeeping is not (P136)", () => {
  const annotations = { team: 'blue', 'kubectl.kubernetes.io/last-applied-configuration': '{}' };
  const labels = { 'istio.io/waypoint-for': 'all' };
  const [account] = manifestsOf(gateway({ metadata: { labels, annotations } }));
  expect(account!.metadata).toMatchObject({ annotations: { team: 'blue' }, labels });
  expect(JSON.stringify(account)).not.toContain('last-applied');
});

test('infrastructure labels replace the copied ones, each map by itself (P136)', () => {
  const metadata = { labels: { own: 'x' }, annotations: { note: 'y' } };
  const spec = { infrastructure: { labels: { infra: 'z', 'gateway.networking.k8s.io/x': 'no' } } };
  const [account] = manifestsOf(gateway({ metadata, spec }));
  expect(account!.metadata).toMatchObject({
    labels: { infra: 'z', ...OWNED },
    annotations: { note: 'y' },
  });
  expect(JSON.stringify(account)).not.toMatch(/"own"|k8s\.io\/x/);
});

test.for([
  {
    what: 'an account of its own',
    annotation: 'gateway.istio.io/service-account',
    value: 'robot',
    path: 'serviceAccountName":"robot"',
  },
  {
    what: 'another name',
    annotation: 'gateway.istio.io/name-override',
    value: 'wp2',
    path: '"name":"wp2"',
  },
  {
    what: 'a service type',
    annotation: 'networking.istio.io/service-type',
    value: 'LoadBalancer',
    path: '"type":"LoadBalancer"',
  },
])('an annotation gives it $what', ({ annotation, value, path }) => {
  const manifests = manifestsOf(
    gateway({ metadata: { annotations: { [annotation]: value } } }),
    SETTINGS,
  );
  expect(JSON.stringify(manifests)).toContain(path);
});

test('a named network is on the objects and in the environment (P134)', () => {
  const text = JSON.stringify(manifestsOf(gateway(), { ...SETTINGS, network: 'nw1' }));
  expect(text).toContain('"topology.istio.io/network":"nw1"');
  expect(text).toContain('{"name":"ISTIO_META_NETWORK","value":"nw1"}');
});

test('a waypoint asks another authority where there is one, and is configured by the control plane', () => {
  const caAddress = 'cert-manager-istio-csr.cert-manager.svc:443';
  const text = JSON.stringify(manifestsOf(gateway(), { ...SETTINGS, caAddress }));
  expect(text).toContain(`{"name":"CA_ADDR","value":"${caAddress}"}`);
  expect(text).toContain('{"name":"XDS_ADDRESS","value":"istiod.istio-system.svc:15012"}');
});

test('its pod is given more time to end than it takes to announce its end and to drain', () => {
  const [, deployment] = manifestsOf(gateway());
  const { terminationGracePeriodSeconds, containers } = (
    deployment as unknown as {
      spec: {
        template: {
          spec: {
            terminationGracePeriodSeconds: number;
            containers: { env: { name: string; value?: string }[] }[];
          };
        };
      };
    }
  ).spec.template.spec;
  const drain = containers[0]?.env.find(
    ({ name }) => name === 'TERMINATION_DRAIN_DURATION_SECONDS',
  );
  // Two seconds of announcement, and a few for a busy machine.
  expect(terminationGracePeriodSeconds).toBeGreaterThanOrEqual(Number(drain?.value) + 2 + 5);
});

test.for([
  { what: 'one address', addresses: [{ value: '10.0.0.9' }], wanted: '10.0.0.9' },
  { what: 'a hostname', addresses: [{ type: 'Hostname', value: 'a.test' }], wanted: undefined },
  {
    what: 'two addresses',
    addresses: [{ value: '10.0.0.9' }, { value: '10.0.0.8' }],
    wanted: undefined,
  },
])(
  'a Gateway that asks for $what: its Service asks for $wanted (P137)',
  ({ addresses, wanted }) => {
    const annotations = {
      'networking.istio.io/service-type': 'LoadBalancer',
      'gateway.istio.io/service-account': 'custom-sa',
    };
    const [account, deployment, service] = manifestsOf(
      gateway({ metadata: { annotations }, spec: { addresses } }),
      SETTINGS,
    );
    expect(account).toMatchObject({ metadata: { name: 'custom-sa' } });
    expect(deployment).toMatchObject({
      spec: { template: { spec: { serviceAccountName: 'custom-sa' } } },
    });
    expect(service).toMatchObject({ spec: { type: 'LoadBalancer' } });
    expect((service as unknown as { spec: object }).spec).toEqual(
      expect.objectContaining(wanted === undefined ? {} : { loadBalancerIP: wanted }),
    );
    expect('loadBalancerIP' in (service as unknown as { spec: object }).spec).toBe(
      wanted !== undefined,
    );
  },
);

test('its threads and its environment are as ProxyConfigs say, also of what it has by itself', () => {
  const run = { gateway: gateway(), controller: WAYPOINT_CONTROLLER, listeners: [] };
  const environment = { CA_ADDR: 'ca.example:1', NEW: 'n' };
  const manifests = waypointManifests(run, SETTINGS, { start: { threads: 3, environment } });
  if (!manifests.ok) throw new Error(manifests.error);
  const [, deployment] = manifests.value as unknown as readonly {
    spec: { template: { spec: { containers: { env: { name: string; value?: string }[] }[] } } };
  }[];
  const { env } = deployment!.spec.template.spec.containers[0]!;
  const names = env.map(({ name }) => name);
  expect(names).toEqual([...new Set(names)]);
  expect(env).toEqual(
    expect.arrayContaining([
      { name: 'CONCURRENCY', value: '3' },
      { name: 'PROXY_CONFIG', value: '{"concurrency":3}' },
      { name: 'CA_ADDR', value: 'ca.example:1' },
      { name: 'NEW', value: 'n' },
    ]),
  );
});

test('a Gateway of class istio becomes an Envoy behind a load balancer, outside of the mesh', () => {
  const spec = {
    gatewayClassName: 'istio',
    listeners: [
      { name: 'web', port: 80, protocol: 'HTTP' },
      { name: 'other', port: 80, protocol: 'HTTP', hostname: 'b.test' },
      { name: 'https', port: 443, protocol: 'HTTPS' },
    ],
  };
  const front = gateway({ metadata: { name: 'front' }, spec });
  const manifests = manifestsOf(front, { ...SETTINGS, network: 'nw1' });
  const labels = {
    'istio.io/dataplane-mode': 'none',
    'gateway.istio.io/managed': 'istio.io-gateway-controller',
    'gateway.networking.k8s.io/gateway-name': 'front',
    'gateway.networking.k8s.io/gateway-class-name': 'istio',
  };
  for (const { metadata } of manifests) {
    expect(metadata).toMatchObject({ name: 'front-istio', annotations: {} });
    expect((metadata as ObjectMeta).labels).toEqual(labels);
  }
  const [, deployment, service] = manifests;
  expect(deployment).toMatchObject({
    spec: {
      template: {
        metadata: { labels: { ...labels, 'service.istio.io/canonical-name': 'front-istio' } },
        spec: {
          serviceAccountName: 'front-istio',
          securityContext: {
            sysctls: [{ name: 'net.ipv4.ip_unprivileged_port_start', value: '0' }],
          },
          containers: [{ name: 'istio-proxy', image: 'istio/proxyv2:dev' }],
        },
      },
    },
  });
  expect(JSON.stringify(deployment)).toContain('"proxy","router"');
  expect(service).toMatchObject({
    spec: {
      type: 'LoadBalancer',
      selector: { 'gateway.networking.k8s.io/gateway-name': 'front' },
      ports: [
        { name: 'status-port', port: 15021 },
        { name: 'web', port: 80, appProtocol: 'http' },
        { name: 'https', port: 443, appProtocol: 'https' },
      ],
    },
  });
});
