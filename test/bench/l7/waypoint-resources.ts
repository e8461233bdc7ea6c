import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE } from '@aquifer/wire';
import {
  fromBinary,
  fromJsonString,
  type Registry,
  toBinary,
  toJsonString,
} from '@bufbuild/protobuf';
import { parseAllDocuments } from 'yaml';
import type { TestObject } from '../../../packages/control-plane/src/derive/derivation.fixture.ts';
import { deriveWaypoint } from '../../../packages/control-plane/src/derive/l7/recorded-waypoint.fixture.ts';
import { ROUTES } from './bootstrap.ts';
import type { TypedResources } from './discovery.ts';

export const SERVICE = { ip: '10.96.0.10', port: 80 };
/** The Service's one pod, whose traffic is captured. */
export const POD = { ip: '127.0.0.2', port: 8080 };
/** Where the waypoint takes tunnels: 15008 is the pod's. */
export const HBONE_PORT = 15_009;

const TO_CART = 'backendRefs: [{name: cart, port: 80}]';
const AWAY =
  'filters: [{type: RequestRedirect, requestRedirect: {path: {type: ReplaceFullPath, replaceFullPath: /}}}]';

/** What our control plane sends a waypoint with ten routes, one policy, and a route more: a prefix that leads elsewhere. */
export function waypointResources(redirected: string): readonly TypedResources[] {
  const { clusters, endpoints, listeners } = deriveWaypoint(meshObjects(redirected));
  return [
    { typeUrl: CLUSTER_TYPE, resources: [...clusters.values()] },
    { typeUrl: ENDPOINT_TYPE, resources: [...endpoints.values()] },
    { typeUrl: LISTENER_TYPE, resources: [...listeners.values()] },
  ].map(({ typeUrl, resources }) => ({
    typeUrl,
    resources: resources.map(({ name, version, bytes }) => ({ name, version, body: bytes })),
  }));
}

function meshObjects(redirected: string): TestObject[] {
  const rules = [...ROUTES.map((prefix) => rule(prefix, TO_CART)), rule(redirected, AWAY)];
  return parseAllDocuments(`
kind: Namespace
metadata: {name: shop, labels: {istio.io/dataplane-mode: ambient, istio.io/use-waypoint: waypoint}}
---
kind: Service
metadata: {namespace: shop, name: cart}
spec:
  selector: {app: cart}
  clusterIP: ${SERVICE.ip}
  clusterIPs: [${SERVICE.ip}]
  ports: [{name: http, port: ${SERVICE.port}, targetPort: ${POD.port}}]
---
kind: Pod
metadata:
  {namespace: shop, name: cart-1, uid: cart-1, labels: {app: cart}, annotations: {ambient.istio.io/redirection: enabled}}
spec: {nodeName: n1, serviceAccountName: cart, containers: [{name: c, image: x}]}
status:
  {phase: Running, podIP: ${POD.ip}, podIPs: [{ip: ${POD.ip}}], conditions: [{type: Ready, status: "True"}]}
---
kind: Gateway
metadata: {namespace: shop, name: waypoint, labels: {istio.io/waypoint-for: service}}
spec: {gatewayClassName: istio-waypoint, listeners: [{name: mesh, port: 15008, protocol: HBONE}]}
status: {addresses: [{type: IPAddress, value: 10.96.0.60}]}
---
kind: HTTPRoute
metadata: {namespace: shop, name: cart}
spec:
  parentRefs: [{group: "", kind: Service, name: cart}]
  rules:
${rules.join('\n')}
---
kind: AuthorizationPolicy
metadata: {namespace: shop, name: allow-get}
spec:
  targetRefs: [{group: "", kind: Service, name: cart}]
  rules: [{to: [{operation: {methods: [GET]}}]}]
`).map((document) => document.toJS() as TestObject);
}

function rule(prefix: string, action: string): string {
  return `  - {matches: [{path: {type: PathPrefix, value: ${prefix}}}], ${action}}`;
}

/**
 * The same for an Envoy that Istio did not build and that has no agent beside it: its certificate is in its bootstrap,
 * under the name that it has in SDS.
 */
export function forEnvoy(
  typed: readonly TypedResources[],
  registry: Registry,
): readonly TypedResources[] {
  return typed.map(({ typeUrl, resources }) => {
    const schema = registry.getMessage(typeUrl.slice(typeUrl.indexOf('/') + 1))!;
    const rewritten = resources.map(({ body, ...rest }) => {
      const json = toJsonString(schema, fromBinary(schema, body), { registry });
      const value = JSON.stringify(JSON.parse(json, rewrite));
      return { ...rest, body: toBinary(schema, fromJsonString(schema, value, { registry })) };
    });
    return { typeUrl, resources: rewritten };
  });
}

function rewrite(key: string, value: unknown): unknown {
  if (key === 'sdsConfig') return undefined;
  if (key === 'address' && isHbone(value)) {
    return { socketAddress: { ...value.socketAddress, portValue: HBONE_PORT } };
  }
  return value === 'istio.hashable_string' ? 'envoy.hashable_string' : value;
}

/** The address of a listener; that of hops is only a port. */
function isHbone(value: unknown): value is { readonly socketAddress: object } {
  return (value as { socketAddress?: { portValue?: number } }).socketAddress?.portValue === 15_008;
}
