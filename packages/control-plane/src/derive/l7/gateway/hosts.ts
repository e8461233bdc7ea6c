/** Which names of a server a VirtualService, or the routes at a listener, have (spec l7 4.2; recordings l7/19, 21). */
import type { VirtualService } from '@aquifer/model/resources';
import type { MeshSettings } from '../../mesh.ts';
import { byAge, namespaceOf } from '../../object.ts';
import { isExportedTo } from '../../routing/exports.ts';
import { hostCovers } from '../../routing/hosts.ts';
import { hostsOf } from '../../routing/virtual-service-index.ts';
import type { RouteClient } from '../sidecar/host-routes.ts';
import { type GatewayServer, listenerKeyOf } from './servers.ts';

/** Those that the gateway follows for the server, the oldest first; at a listener only TCPRoutes and TLSRoutes are such. */
export function followedAt(
  server: GatewayServer,
  { view, routing, context }: RouteClient,
): readonly VirtualService[] {
  if (server.ruledBy === 'routes') {
    return routing.rawRoutesAt(context, listenerKeyOf(server)).toSorted(byAge);
  }
  return routing
    .virtualServicesAt(context, server.gateway)
    .filter((service) => isExportedTo(service, view.namespace))
    .toSorted(byAge);
}

/** The narrower one of each pair that overlaps. */
export function sharedHosts(
  server: GatewayServer,
  service: VirtualService,
  mesh: Pick<MeshSettings, 'clusterDomain'>,
): readonly string[] {
  const namespace = namespaceOf(service);
  const offered = server.hosts
    .filter((host) => host.namespace === '*' || host.namespace === namespace)
    .map(({ name }) => name);
  const own = server.ruledBy === 'routes' ? (service.spec?.hosts ?? []) : hostsOf(service, mesh);
  return common(offered, own);
}

export function common(some: readonly string[], others: readonly string[]): readonly string[] {
  const pairs = some.flatMap((a) => others.map((b) => [a, b] as const));
  return [
    ...new Set(pairs.flatMap(([a, b]) => (hostCovers(a, b) ? b : hostCovers(b, a) ? a : []))),
  ];
}
