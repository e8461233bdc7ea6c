/** What is derived to be missing in the cluster: conditions, addresses, classes, waypoints. */
import type { Collection } from './collections/collection.ts';
import type { Derivation } from './derive/derivation.ts';
import { gatewayClassWishes } from './gateways/gateway-classes.ts';
import { malformedRouteWishes } from './gateways/malformed-routes.ts';
import { remoteGatewayWishes } from './gateways/remote-gateways.ts';
import { routeWishes } from './gateways/route-status.ts';
import { type WaypointInputs, waypointWishes } from './gateways/waypoint-wishes.ts';
import type { ForeignObjects } from './reconcile/owner.ts';
import type { Wish } from './reconcile/wish.ts';
import { addressWishes } from './status/allocated-addresses.ts';
import { conditionWishes } from './status/derived-conditions.ts';
import { malformedWishes } from './status/malformed-conditions.ts';
import { routingWishes } from './status/routing-conditions.ts';
import { telemetryWishes } from './status/telemetry-conditions.ts';

/** What they depend on besides the cluster. */
export type WishSettings = WaypointInputs['settings'];

/** `foreign` is what the writer finds to be somebody else's. */
export function clusterWishes(
  { graph, cluster, mesh, routing, malformed }: Derivation,
  settings: WishSettings,
): { readonly foreign: ForeignObjects; readonly wishes: Collection<Wish> } {
  const foreign: ForeignObjects = graph.input('foreign objects');
  const wishes = graph.union(
    'wishes for the cluster',
    conditionWishes(graph, cluster, mesh),
    malformedWishes(graph, cluster, malformed),
    routingWishes(graph, cluster, mesh),
    addressWishes(graph, cluster, mesh),
    gatewayClassWishes(graph, cluster),
    remoteGatewayWishes(graph, cluster, settings.revision),
    waypointWishes(graph, { cluster, mesh, foreign, settings }),
    routeWishes(graph, { cluster, routes: routing.routes, malformed }, mesh),
    malformedRouteWishes(graph, malformed),
    telemetryWishes(graph, cluster, mesh),
  );
  return { foreign, wishes };
}
