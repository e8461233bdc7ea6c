/** A cluster as large as is wanted: what the control plane keeps of it, object by object. */
import type { StoredObject } from '../../packages/control-plane/src/ingest/cluster-inputs.ts';
import type { WatchedKind } from '../../packages/control-plane/src/ingest/kinds.ts';

export interface ClusterSize {
  readonly pods: number;
  readonly services: number;
  readonly waypoints: number;
}

export type ClusterObject = StoredObject & {
  readonly kind: WatchedKind;
  readonly spec?: unknown;
  readonly status?: unknown;
};

const PODS_PER_NODE = 50;
const PODS_PER_NAMESPACE = 250;
/** Services of the first namespace are this many, so that one waypoint has much to serve. */
export const LARGE_WAYPOINT_SERVICES = 1000;
export const LARGE_NAMESPACE = 'large';

let version = 0;

/** The object in a new version. */
export function newVersion(object: ClusterObject): ClusterObject {
  version += 1;
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
}

export function* clusterObjects(size: ClusterSize): Iterable<ClusterObject> {
  const namespaces = Math.ceil(size.pods / PODS_PER_NAMESPACE);
  yield namespaceObject('istio-system', {});
  yield gatewayClass();
  yield namespaceObject(LARGE_NAMESPACE, { 'istio.io/use-waypoint': 'waypoint' });
  yield gatewayObject(LARGE_NAMESPACE, 0);
  for (let i = 0; i < LARGE_WAYPOINT_SERVICES; i++) {
    yield serviceObject(LARGE_NAMESPACE, i, `10.100.${i >> 8}.${i & 255}`);
    yield routeObject(i, 50);
  }
  for (let i = 0; i < Math.ceil(size.pods / PODS_PER_NODE); i++) yield nodeObject(i);
  for (let i = 0; i < namespaces; i++) {
    const hasWaypoint = i < size.waypoints;
    yield namespaceObject(`ns-${i}`, {
      'istio.io/dataplane-mode': 'ambient',
      ...(hasWaypoint && { 'istio.io/use-waypoint': 'waypoint' }),
    });
    if (hasWaypoint) yield gatewayObject(`ns-${i}`, i + 1);
  }
  const perNamespace = Math.max(1, Math.floor(size.services / namespaces));
  for (let i = 0; i < size.services; i++) {
    const namespace = `ns-${Math.floor(i / perNamespace) % namespaces}`;
    yield serviceObject(
      namespace,
      i % perNamespace,
      `10.${96 + (i >> 16)}.${(i >> 8) & 255}.${i & 255}`,
    );
  }
  for (let i = 0; i < size.pods; i++) yield podObject(i, perNamespace);
}

function namespaceObject(name: string, labels: Record<string, string>): ClusterObject {
  return newVersion({ kind: 'Namespace', metadata: { name, uid: `ns-${name}`, labels } });
}

function gatewayClass(): ClusterObject {
  const spec = { controllerName: 'istio.io/mesh-controller' };
  return newVersion({ kind: 'GatewayClass', metadata: { name: 'istio-waypoint' }, spec });
}

function gatewayObject(namespace: string, index: number): ClusterObject {
  return newVersion({
    kind: 'Gateway',
    metadata: { namespace, name: 'waypoint', uid: `gateway-${index}` },
    spec: {
      gatewayClassName: 'istio-waypoint',
      listeners: [{ name: 'mesh', port: 15008, protocol: 'HBONE' }],
    },
    status: { addresses: [{ type: 'IPAddress', value: `10.200.${index >> 8}.${index & 255}` }] },
  });
}

export function nodeObject(index: number): ClusterObject {
  const labels = { 'topology.kubernetes.io/zone': `zone-${index % 3}` };
  return newVersion({
    kind: 'Node',
    metadata: { name: `node-${index}`, uid: `node-${index}`, labels },
  });
}

export function serviceObject(namespace: string, index: number, clusterIP: string): ClusterObject {
  return newVersion({
    kind: 'Service',
    metadata: { namespace, name: `service-${index}`, uid: `${namespace}-${index}` },
    spec: {
      clusterIP,
      clusterIPs: [clusterIP],
      selector: { app: `app-${index}` },
      ports: [{ name: 'http', port: 80, targetPort: 8080, protocol: 'TCP' }],
    },
  });
}

export function podObject(index: number, servicesPerNamespace: number): ClusterObject {
  const namespace = `ns-${Math.floor(index / PODS_PER_NAMESPACE)}`;
  const app = `app-${index % servicesPerNamespace}`;
  const ip = `10.${10 + (index >> 16)}.${(index >> 8) & 255}.${index & 255}`;
  return newVersion({
    kind: 'Pod',
    metadata: {
      namespace,
      name: `${app}-${index}`,
      uid: `pod-${index}`,
      labels: { app, version: 'v1', 'pod-template-hash': '5f0e2d1c' },
    },
    spec: {
      nodeName: `node-${Math.floor(index / PODS_PER_NODE)}`,
      serviceAccountName: 'default',
      containers: [{ name: 'app', ports: [{ containerPort: 8080 }] }],
    },
    status: {
      phase: 'Running',
      podIP: ip,
      podIPs: [{ ip }],
      conditions: [{ type: 'Ready', status: 'True' }],
    },
  });
}

export function routeObject(index: number, weight: number): ClusterObject {
  const backend = (to: number, share: number) => ({
    name: `service-${to}`,
    port: 80,
    weight: share,
  });
  const next = (index + 1) % LARGE_WAYPOINT_SERVICES;
  return newVersion({
    kind: 'HTTPRoute',
    metadata: { namespace: LARGE_NAMESPACE, name: `route-${index}`, uid: `route-${index}` },
    spec: {
      parentRefs: [{ group: '', kind: 'Service', name: `service-${index}` }],
      rules: [{ backendRefs: [backend(index, 100 - weight), backend(next, weight)] }],
    },
  });
}

export function rootPolicy(index: number): ClusterObject {
  const rules = [{ from: [{ source: { principals: [`cluster.local/ns/x/sa/${index}`] } }] }];
  return newVersion({
    kind: 'AuthorizationPolicy',
    metadata: { namespace: 'istio-system', name: 'root', uid: 'root-policy' },
    spec: { action: 'DENY', rules },
  });
}
