/** Which objects belong to this control plane where several revisions of it run (spec control-plane 1.1, 5.2). */
import type { StoredObject } from './cluster-inputs.ts';
import type { WatchedKind } from './kinds.ts';

/** Names the control plane that an object is for. */
export const REVISION_LABEL = 'istio.io/rev';

/** Configuration of the mesh. Pods, Services, Namespaces and Gateways of other revisions are seen all the same. */
export const CONFIGURATION: readonly WatchedKind[] = [
  'AuthorizationPolicy',
  'PeerAuthentication',
  'RequestAuthentication',
  'HTTPRoute',
  'GRPCRoute',
  'TCPRoute',
  'TLSRoute',
  'ListenerSet',
  'BackendTLSPolicy',
  'ServiceEntry',
  'WorkloadEntry',
  'GatewayClassDefaults',
];

/** Unlabelled objects are everybody's; the empty revision sees all of them. */
export function isVisible(kind: WatchedKind, object: StoredObject, revision: string): boolean {
  const label = object.metadata.labels?.[REVISION_LABEL];
  if (label === undefined || revision === '') return true;
  return label === revision || !CONFIGURATION.includes(kind);
}

/** Whether this control plane deploys a Gateway and writes its status: by its own label, else its namespace's. */
export function isManaged(
  gateway: StoredObject,
  namespace: StoredObject | undefined,
  revision: string,
): boolean {
  const own = gateway.metadata.labels?.[REVISION_LABEL];
  if (own === undefined && namespace === undefined) return true;
  const label = own ?? namespace?.metadata.labels?.[REVISION_LABEL] ?? '';
  return label === revision || (label === '' && revision === 'default');
}
