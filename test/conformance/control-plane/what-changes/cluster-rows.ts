/** Namespaces, pods, services and endpoints, whatever says so. */
import type { TestObject } from '../../../../packages/control-plane/src/derive/derivation.fixture.ts';
import { podObject } from '../../../fixtures/control-plane.ts';
import { objectOf } from './mesh.ts';
import {
  added,
  EGRESS,
  INGRESS,
  INTERNAL,
  NETWORKING,
  type Row,
  rowsOf,
  withLabels,
  withSpec,
} from './row.ts';

const anotherPod = (namespace: string, app: string, ip: string): TestObject =>
  podObject(namespace, `${app}-2`, { ip, labels: { app } }) as TestObject;

const withPort = (service: TestObject): TestObject =>
  withSpec(service, {
    ports: [
      { name: 'http', port: 80, targetPort: 8080 },
      { name: 'http-admin', port: 81, targetPort: 8081 },
    ],
  });

const slice = (namespace: string, service: string, address: string): TestObject => ({
  ...added('discovery.k8s.io/v1/EndpointSlice', `${namespace}/${service}-by-hand`, {}),
  metadata: {
    namespace,
    name: `${service}-by-hand`,
    labels: { 'kubernetes.io/service-name': service },
  },
  ...{ addressType: 'IPv4', ports: [{ name: 'http', port: 8080 }] },
  ...{ endpoints: [{ addresses: [address], conditions: { ready: true } }] },
});

const entry = (namespace: string, app: string, address: string): TestObject =>
  added(`${NETWORKING}/WorkloadEntry`, `${namespace}/${app}-vm`, {
    spec: { address, labels: { app } },
  });

const withEndpoint = (object: TestObject): TestObject =>
  withSpec(object, { endpoints: [{ address: '198.51.100.7' }, { address: '198.51.100.8' }] });

export const CLUSTER_ROWS: readonly Row[] = [
  ...rowsOf(
    'Namespace',
    [
      INGRESS,
      "a label of the gateway's namespace",
      withLabels(objectOf('Namespace', '', 'edge'), { team: 'x' }),
      {},
    ],
    [
      INTERNAL,
      'services are led through their waypoint no more',
      withLabels(objectOf('Namespace', '', 'shop'), { 'istio.io/dataplane-mode': 'ambient' }),
      { waypoint: 'LCE', ztunnel: 'A' },
    ],
    [
      EGRESS,
      'a label of the namespace that calls out',
      withLabels(objectOf('Namespace', '', 'side'), { team: 'x' }),
      {},
    ],
  ),
  ...rowsOf(
    'Pod',
    [
      INGRESS,
      'a second pod of a service behind a gateway',
      anotherPod('side', 'stock', '10.3.0.3'),
      { gateway: 'E', sidecar: 'E', ztunnel: 'A' },
    ],
    [
      INTERNAL,
      'a second pod of a service behind a waypoint',
      anotherPod('shop', 'cart', '10.1.0.2'),
      { gateway: 'E', sidecar: 'E', waypoint: 'LE', ztunnel: 'A' },
    ],
    [
      EGRESS,
      'a pod that no service selects',
      anotherPod('side', 'loner', '10.3.0.4'),
      { ztunnel: 'A' },
    ],
  ),
  ...rowsOf(
    'Service',
    [
      INGRESS,
      'another port of a service behind a gateway',
      withPort(objectOf('Service', 'side', 'stock')),
      { gateway: 'RCE', sidecar: 'LRCE', ztunnel: 'A' },
    ],
    [
      INTERNAL,
      'another port of a service behind a waypoint',
      withPort(objectOf('Service', 'shop', 'cart')),
      { gateway: 'CE', sidecar: 'LRCE', waypoint: 'LCE', ztunnel: 'A' },
    ],
    [
      EGRESS,
      'a name of a cluster for a host outside (ExternalName)',
      added('v1/Service', 'side/out', {
        spec: {
          type: 'ExternalName',
          externalName: 'api.test',
          ports: [{ name: 'http', port: 80 }],
        },
      }),
      {},
    ],
  ),
  ...rowsOf(
    'EndpointSlice',
    [
      INGRESS,
      'an endpoint by hand of a service behind a gateway',
      slice('side', 'stock', '10.3.0.9'),
      { gateway: 'E', sidecar: 'E', ztunnel: 'A' },
    ],
    [
      INTERNAL,
      'an endpoint by hand of a service behind a waypoint',
      slice('shop', 'cart', '10.1.0.9'),
      { gateway: 'E', sidecar: 'E', waypoint: 'E', ztunnel: 'A' },
    ],
    [
      EGRESS,
      'endpoints of a service that there is not',
      slice('side', 'nobody', '198.51.100.9'),
      {},
    ],
  ),
  ...rowsOf(
    'ServiceEntry',
    [
      INGRESS,
      'a host outside is no longer seen by other namespaces',
      withSpec(objectOf('ServiceEntry', 'side', 'api'), { exportTo: ['.'] }),
      { gateway: 'CE' },
    ],
    [
      INTERNAL,
      'a host inside of the mesh, in front of the pods of a service',
      added(`${NETWORKING}/ServiceEntry`, 'shop/inside', {
        spec: {
          hosts: ['inside.test'],
          addresses: ['203.0.113.30'],
          ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
          resolution: 'STATIC',
          location: 'MESH_INTERNAL',
          workloadSelector: { labels: { app: 'cart' } },
        },
      }),
      { gateway: 'CE', sidecar: 'RCE', waypoint: 'LCE', ztunnel: 'A' },
    ],
    [
      EGRESS,
      'another address of a host outside, called by sidecars',
      withEndpoint(objectOf('ServiceEntry', 'side', 'api')),
      { gateway: 'E', sidecar: 'E', ztunnel: 'A' },
    ],
    [
      EGRESS,
      'another address of a host outside, called through a waypoint',
      withEndpoint(objectOf('ServiceEntry', 'shop', 'partner')),
      { gateway: 'E', sidecar: 'E', waypoint: 'LE', ztunnel: 'A' },
    ],
  ),
  ...rowsOf(
    'WorkloadEntry',
    [
      INGRESS,
      'a machine of a service behind a gateway',
      entry('side', 'stock', '10.3.0.8'),
      { gateway: 'E', sidecar: 'E', ztunnel: 'A' },
    ],
    [
      INTERNAL,
      'a machine of a service behind a waypoint',
      entry('shop', 'cart', '10.1.0.8'),
      { gateway: 'E', sidecar: 'E', waypoint: 'LE', ztunnel: 'A' },
    ],
    [
      EGRESS,
      'a machine that no service selects',
      entry('side', 'loner', '198.51.100.8'),
      { ztunnel: 'A' },
    ],
  ),
];
