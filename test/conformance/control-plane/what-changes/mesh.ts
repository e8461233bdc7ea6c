/** The mesh that every row of the matrix begins with: traffic from outside, between services, and to the outside. */
import type { TestObject } from '../../../../packages/control-plane/src/derive/derivation.fixture.ts';
import { namespaceObject, podObject } from '../../../fixtures/control-plane.ts';
import { GATEWAY_CLASS, gatewayObject, WAYPOINT_POD } from '../../../fixtures/waypoint-process.ts';

const NETWORKING = 'networking.istio.io/v1';
const GATEWAY_API = 'gateway.networking.k8s.io/v1';
const FRONT_PORTS = [80, 81, 443, 9000];
const FROM_ALL = { allowedRoutes: { namespaces: { from: 'All' } } };

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
      ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
      resolution: 'STATIC',
      location: 'MESH_EXTERNAL',
      endpoints: [{ address: '198.51.100.7' }],
    },
  };
}

const AMBIENT = { 'istio.io/dataplane-mode': 'ambient', 'istio.io/use-waypoint': 'waypoint' };
const CAPTURED = { 'ambient.istio.io/redirection': 'enabled' };
const WITH_SIDECAR = { 'sidecar.istio.io/status': '{}' };

/**
 * `edge` has a gateway of Istio's own kind and one of the Gateway API, which lead to `stock`; `side` has sidecars, `stock`, and `api.test` outside; `shop` has a waypoint for
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
    apiVersion: GATEWAY_API,
    kind: 'GatewayClass',
    metadata: { name: 'istio', uid: 'class-of-gateways' },
    spec: { controllerName: 'istio.io/gateway-controller' },
  },
  {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace: 'edge', name: 'front-istio', uid: 'front-service' },
    spec: {
      selector: { app: 'entry' },
      clusterIP: '10.96.0.30',
      clusterIPs: ['10.96.0.30'],
      ports: FRONT_PORTS.map((port) => ({ name: `p${port}`, port, targetPort: 10_000 + port })),
    },
  },
  {
    apiVersion: GATEWAY_API,
    kind: 'Gateway',
    metadata: { namespace: 'edge', name: 'front', uid: 'front' },
    spec: {
      gatewayClassName: 'istio',
      allowedListeners: { namespaces: { from: 'All' } },
      listeners: [
        { name: 'web', port: 80, protocol: 'HTTP', ...FROM_ALL },
        { name: 'names', port: 443, protocol: 'TLS', tls: { mode: 'Passthrough' }, ...FROM_ALL },
        { name: 'raw', port: 9000, protocol: 'TCP', ...FROM_ALL },
      ],
    },
  },
  {
    apiVersion: GATEWAY_API,
    kind: 'HTTPRoute',
    metadata: { namespace: 'edge', name: 'stranger', uid: 'stranger' },
    spec: {
      parentRefs: [{ name: 'front', sectionName: 'web' }],
      hostnames: ['stranger.test'],
      rules: [{ backendRefs: [{ namespace: 'side', name: 'stock', port: 80 }] }],
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
  serviceOf('shop', 'cart', '10.96.0.10'),
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
