/** The mesh that every row of the matrix begins with: traffic from outside, between services, and to the outside. */
import type { TestObject } from '../../../../packages/control-plane/src/derive/derivation.fixture.ts';
import { namespaceObject, podObject } from '../../../fixtures/control-plane.ts';
import { GATEWAY_CLASS, gatewayObject, WAYPOINT_POD } from '../../../fixtures/waypoint-process.ts';

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
