/** What is derived to be missing in the cluster: conditions, addresses, classes, waypoints. */
import type { Collection } from './collections/collection.ts';
import type { Derivation } from './derive/derivation.ts';
import { backendTlsWishes } from './gateways/backend-tls-status.ts';
import { gatewayClassWishes } from './gateways/gateway-classes.ts';
import { listenerSetWishes } from './gateways/listener-sets.ts';
import { malformedRouteWishes } from './gateways/malformed-routes.ts';
import { parameterCollections, wantedMaps } from './gateways/parameters.ts';
import { remoteGatewayWishes } from './gateways/remote-gateways.ts';
import { routeWishes } from './gateways/route-status.ts';
import { type WaypointInputs, waypointWishes } from './gateways/waypoint-wishes.ts';
import type { MapName } from './ingest/referred-maps.ts';
import type { Obstacles } from './reconcile/owner.ts';
import type { Wish } from './reconcile/wish.ts';
import { addressWishes } from './status/allocated-addresses.ts';
import { conditionWishes } from './status/derived-conditions.ts';
import { malformedWishes } from './status/malformed-conditions.ts';
import { proxyStartWishes } from './status/proxy-start-conditions.ts';
import { routingWishes } from './status/routing-conditions.ts';
import { telemetryWishes } from './status/telemetry-conditions.ts';

/** What they depend on besides the cluster. */
export type WishSettings = WaypointInputs['settings'];

export interface ClusterWishes {
  readonly wishes: Collection<Wish>;
  /** What the writer finds to be in the way. */
  readonly obstacles: Obstacles;
  /** ConfigMaps that must be looked up. */
  readonly wantedMaps: Collection<MapName>;
}

export function clusterWishes(derivation: Derivation, settings: WishSettings): ClusterWishes {
  const { graph, cluster, mesh, routing, malformed } = derivation;
  const { gatewayApi } = routing;
  const obstacles: Obstacles = graph.input('obstacles');
  const parameters = parameterCollections(graph, derivation);
  const wishes = graph.union(
    'wishes for the cluster',
    conditionWishes(graph, cluster, mesh),
    malformedWishes(graph, cluster, malformed),
    routingWishes(graph, cluster, mesh),
    addressWishes(graph, cluster, mesh),
    gatewayClassWishes(graph, cluster, parameters),
    remoteGatewayWishes(graph, cluster, settings.revision),
    waypointWishes(graph, { cluster, mesh, gatewayApi, obstacles, parameters, settings }),
    listenerSetWishes(graph, { cluster, mesh, gatewayApi, settings: mesh.installation }),
    routeWishes(graph, { cluster, gatewayApi, malformed }, mesh),
    malformedRouteWishes(graph, malformed, gatewayApi),
    backendTlsWishes(graph, gatewayApi),
    telemetryWishes(graph, cluster, mesh),
    proxyStartWishes(graph, cluster, mesh, settings.revision),
  );
  return { wishes, obstacles, wantedMaps: wantedMaps(graph, cluster) };
}
