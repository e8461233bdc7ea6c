/** The mesh that every row of the matrix begins with: traffic from outside, between services, and to the outside. */
import type { TestObject } from '../../../../packages/control-plane/src/derive/derivation.fixture.ts';
import { namespaceObject, podObject } from '../../../fixtures/control-plane.ts';
import { GATEWAY_CLASS, gatewayObject, WAYPOINT_POD } from '../../../fixtures/waypoint-process.ts';
import { withSpec } from './row.ts';

const NETWORKING = 'networking.istio.io/v1';

/** A gateway for traffic from outside, and a pod with a sidecar. */
export const PROXIES = {
  gateway: {
    id: 'router~10.2.0.1~entry-1.edge~edge.svc.cluster.local',
    metadata: { NAMESPACE: 'edge', LABELS: { app: 'entry' } },
  },
  sidecar: {
    id: 'sidecar~10.3.0.1~caller-1.side~side.svc.cluster.local',
    metadata: { NAMESPACE: 'side', LABELS: { app: 'caller' } },
  },
} as const;

export const WAYPOINT = 'shop/waypoint';

function serviceOf(namespace: string, name: string, vip: string): TestObject {
  return {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name, uid: `service-${name}` },
    spec: {
      selector: { app: name },
      clusterIP: vip,
      clusterIPs: [vip],
      ports: [{ name: 'http', port: 80, targetPort: 8080 }],
    },
  };
}

function externalOf(namespace: string, name: string, host: string, address: string): TestObject {
  return {
    apiVersion: NETWORKING,
    kind: 'ServiceEntry',
    metadata: { namespace, name, uid: `entry-${name}` },
    spec: {
      hosts: [host],
      addresses: [address],
      ports: [
        { number: 80, name: 'http', protocol: 'HTTP' },
        { number: 443, name: 'tls', protocol: 'TLS' },
        { number: 9000, name: 'tcp', protocol: 'TCP' },
      ],
      resolution: 'STATIC',
      location: 'MESH_EXTERNAL',
      endpoints: [{ address: '198.51.100.7' }],
    },
  };
}

const AMBIENT = { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'waypoint' };
const CAPTURED = { 'ambient.istio.io/redirection': 'enabled' };
const WITH_SIDECAR = { 'sidecar.istio.io/status': '{}' };

/** The same gateway, as the Gateway API has it. */
function frontOf(...listeners: readonly object[]): TestObject {
  return {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'Gateway',
    metadata: { namespace: 'edge', name: 'front', uid: 'front' },
    spec: {
      gatewayClassName: 'istio',
      addresses: [{ type: 'Hostname', value: 'entry' }],
      allowedListeners: { namespaces: { from: 'Same' } },
      listeners,
    },
  };
}

const ENTRY_PORTS = [8090, 8091, 8453, 9000, 9453];

/**
 * `edge` has a gateway that leads to `stock`; `side` has sidecars, `stock`, and `api.test` outside; `shop` has a waypoint for
 * `cart`, and for `partner.test` outside.
 */
export const MESH: readonly TestObject[] = [
  namespaceObject('istio-system'),
  namespaceObject('edge'),
  namespaceObject('side'),
  namespaceObject('shop', AMBIENT),
  podObject('edge', 'entry-1', { ip: '10.2.0.1', labels: { app: 'entry' } }),
  {
    apiVersion: NETWORKING,
    kind: 'Gateway',
    metadata: { namespace: 'edge', name: 'entry', uid: 'entry' },
    spec: {
      selector: { app: 'entry' },
      servers: [{ port: { number: 8080, name: 'http', protocol: 'HTTP' }, hosts: ['*'] }],
    },
  },
  {
    apiVersion: NETWORKING,
    kind: 'VirtualService',
    metadata: { namespace: 'edge', name: 'entry', uid: 'entry-routes' },
    spec: {
      hosts: ['shop.test'],
      gateways: ['entry'],
      http: [{ route: [{ destination: { host: 'stock.side.svc.cluster.local' } }] }],
    },
  },
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'GatewayClass',
    metadata: { name: 'istio', uid: 'istio' },
    spec: { controllerName: 'istio.io/gateway-controller' },
  },
  withSpec(serviceOf('edge', 'entry', '10.96.0.30'), {
    ports: ENTRY_PORTS.map((port) => ({ name: `tcp-${port}`, port, targetPort: port })),
  }),
  frontOf(
    { name: 'web', port: 8090, protocol: 'HTTP' },
    {
      name: 'site',
      port: 8453,
      protocol: 'HTTPS',
      tls: { certificateRefs: [{ name: 'site' }] },
    },
    { name: 'bytes', port: 9000, protocol: 'TCP' },
    { name: 'passed', port: 9453, protocol: 'TLS', tls: { mode: 'Passthrough' } },
  ),
  {
    apiVersion: 'gateway.networking.k8s.io/v1',
    kind: 'HTTPRoute',
    metadata: { namespace: 'edge', name: 'pages', uid: 'pages' },
    spec: {
      parentRefs: [{ name: 'front' }],
      rules: [{ backendRefs: [{ name: 'stock', namespace: 'side', port: 80 }] }],
    },
  },
  serviceOf('side', 'stock', '10.96.0.20'),
  podObject('side', 'stock-1', {
    ip: '10.3.0.2',
    labels: { app: 'stock' },
    annotations: WITH_SIDECAR,
  }),
  serviceOf('side', 'caller', '10.96.0.21'),
  podObject('side', 'caller-1', {
    ip: '10.3.0.1',
    labels: { app: 'caller' },
    annotations: WITH_SIDECAR,
  }),
  externalOf('side', 'api', 'api.test', '203.0.113.20'),
  GATEWAY_CLASS as TestObject,
  gatewayObject('all') as TestObject,
  WAYPOINT_POD as TestObject,
  withSpec(serviceOf('shop', 'cart', '10.96.0.10'), {
    ports: [
      { name: 'http', port: 80, targetPort: 8080 },
      { name: 'tls', port: 443, targetPort: 8443 },
      { name: 'tcp', port: 9000 },
    ],
  }),
  podObject('shop', 'cart-1', { ip: '10.1.0.1', labels: { app: 'cart' }, annotations: CAPTURED }),
  externalOf('shop', 'partner', 'partner.test', '203.0.113.10'),
] as readonly TestObject[];

/** An object of the mesh, to be changed. */
export function objectOf(kind: string, namespace: string, name: string): TestObject {
  const found = MESH.find(
    (object) =>
      object.kind === kind &&
      (object.metadata.namespace ?? '') === namespace &&
      object.metadata.name === name,
  );
  if (found === undefined) throw new Error(`the mesh has no ${kind} ${namespace}/${name}`);
  return found;
}
