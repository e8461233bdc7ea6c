/** Examples of what Istio's documentation shows for each kind, in words and names of our own, and what it promises of them. */

/** Something that is served, by its type as in protobuf. */
interface Served {
  readonly to: 'gateway' | 'sidecar' | 'waypoint' | 'ztunnel';
  readonly type:
    | 'Listener'
    | 'RouteConfiguration'
    | 'Cluster'
    | 'ClusterLoadAssignment'
    | 'Address'
    | 'Authorization';
  readonly name: string;
}

export type Promised =
  /** Somewhere in it there is an object with all of that. */
  | (Served & { readonly has: object })
  /** Nowhere in it is one. */
  | (Served & { readonly hasNo: object })
  /** It is not served at all. */
  | (Served & { readonly is: 'absent' })
  /** `apiVersion/Kind namespace/name` is what a Gateway becomes. */
  | { readonly object: string; readonly has: object }
  /** The status of `Kind namespace/name` has such a condition. */
  | { readonly status: string; readonly has: object }
  /** What `aquifer analyze` says about it. */
  | { readonly says: string };

export interface Example {
  readonly kind: string;
  /** What the documentation promises. */
  readonly shows: string;
  /** Documents of YAML, applied to the mesh of the matrix (what-changes/mesh.ts). */
  readonly given: string;
  readonly promises: readonly Promised[];
}

export const STOCK = 'stock.side.svc.cluster.local';
export const CART = 'cart.shop.svc.cluster.local';

export const NETWORKING = 'networking.istio.io/v1';
export const SECURITY = 'security.istio.io/v1';
export const GATEWAY_API = 'gateway.networking.k8s.io/v1';

/** What the sidecar's route table for port 80 is called, and that of the gateway's port. */
export const SIDECAR_ROUTES = {
  to: 'sidecar',
  type: 'RouteConfiguration',
  name: '80',
} as const satisfies Served;
export const GATEWAY_ROUTES = {
  to: 'gateway',
  type: 'RouteConfiguration',
  name: 'http.8080',
} as const satisfies Served;
/** Routes of a waypoint are in its listener. */
export const WAYPOINT_LISTENER = {
  to: 'waypoint',
  type: 'Listener',
  name: 'main_internal',
} as const satisfies Served;
export const SIDECAR_INBOUND = {
  to: 'sidecar',
  type: 'Listener',
  name: 'virtualInbound',
} as const satisfies Served;

export function sidecarCluster(name: string): Served {
  return { to: 'sidecar', type: 'Cluster', name };
}
