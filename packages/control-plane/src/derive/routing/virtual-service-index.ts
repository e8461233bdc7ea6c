/** How VirtualServices are found by the hosts that they are for. */
import type { VirtualService } from '@aquifer/model/resources';
import type { MeshSettings } from '../mesh.ts';
import { namespaceOf } from '../object.ts';
import { fullHostname } from './hosts.ts';
import { gatewayName, MESH_GATEWAY } from './virtual-service-match.ts';

type Names = Pick<MeshSettings, 'clusterDomain'>;

/** By their whole names. */
export function hostsOf(service: VirtualService, mesh: Names): string[] {
  return (service.spec?.hosts ?? []).map((host) => fullHostname(host, namespaceOf(service), mesh));
}

/** Whether proxies in the mesh follow it, not just gateways. */
export function isForMesh(service: VirtualService): boolean {
  const { gateways = [] } = service.spec ?? {};
  return gateways.length === 0 || gatewaysOf(service).includes(MESH_GATEWAY);
}

/** As `namespace/name`; `mesh` for the proxies in it. */
export function gatewaysOf(service: VirtualService): string[] {
  return (service.spec?.gateways ?? []).map((name) => gatewayName(name, namespaceOf(service)));
}

/** Of patterns, which few namespaces have, in one place. */
const PATTERNS = '*';

function indexKey(namespace: string, host: string): string {
  return `${namespace}/${host}`;
}

/** Where objects of a namespace with such hosts are filed. */
export function hostKeys(namespace: string, hosts: readonly string[]): string[] {
  const own = hosts.map((host) => indexKey(namespace, host.startsWith('*') ? PATTERNS : host));
  return [indexKey(namespace, ''), ...new Set(own)];
}

/** Where those of a namespace are that may have to do with the host: of a pattern all of them. */
export function keysOfHost(namespace: string, hostname: string): string[] {
  if (hostname.startsWith('*')) return [indexKey(namespace, '')];
  return [indexKey(namespace, hostname), indexKey(namespace, PATTERNS)];
}
