/** Which names of a server a VirtualService has (spec l7 4.2; recording l7/19). */
import type { VirtualService } from '@aquifer/model/resources';
import type { MeshSettings } from '../../mesh.ts';
import { byAge, namespaceOf } from '../../object.ts';
import { isExportedTo } from '../../routing/exports.ts';
import { hostCovers } from '../../routing/hosts.ts';
import { hostsOf } from '../../routing/virtual-service-index.ts';
import type { RouteClient } from '../sidecar/host-routes.ts';
import type { GatewayServer } from './servers.ts';

/** Those that the gateway follows for the server, the oldest first. */
export function followedAt(
  { gateway }: GatewayServer,
  { view, routing, context }: RouteClient,
): readonly VirtualService[] {
  return routing
    .virtualServicesAt(context, gateway)
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
  return common(offered, hostsOf(service, mesh));
}

export function common(some: readonly string[], others: readonly string[]): readonly string[] {
  const pairs = some.flatMap((a) => others.map((b) => [a, b] as const));
  return [
    ...new Set(pairs.flatMap(([a, b]) => (hostCovers(a, b) ? b : hostCovers(b, a) ? a : []))),
  ];
}
