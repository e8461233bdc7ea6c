/** The rules for a port of a service at its waypoint: lists that are tried one after the other (recordings l7/04, 11). */
import type { MeshSettings } from '../mesh.ts';
import type { MeshService } from '../mesh-service.ts';
import { namespaceOf } from '../object.ts';
import { parentsOf, type Route } from '../routing/gateway-route.ts';
import { rulesOfRoutes } from '../routing/gateway-rules.ts';
import type { RouteRule } from '../routing/route-rule.ts';
import { parentKey, sourceOf, type WaypointRef } from './waypoint-ref.ts';

/** Only its last rule may take every request. */
export interface RouteList {
  /** As Istio names the VirtualService that it makes of the list. */
  readonly origin: { readonly namespace: string; readonly name: string };
  readonly rules: readonly RouteRule[];
}

export interface RoutedService {
  readonly service: MeshService;
  readonly waypoint: WaypointRef;
  readonly routes: readonly Route[];
}

/**
 * The routes of one namespace with the same kind of parent are a list, HTTPRoutes and GRPCRoutes together. Those that
 * name the port come before those that name none, the service's own namespace before the waypoint's.
 */
export function routeLists(
  port: number,
  { service, waypoint, routes }: RoutedService,
  mesh: Pick<MeshSettings, 'clusterDomain'>,
): RouteList[] {
  const key = sourceOf(service);
  const namespaces = new Set([namespaceOf(service), waypoint.namespace]);
  const lists: RouteList[] = [];
  for (const wanted of [port, undefined]) {
    for (const namespace of namespaces) {
      const own = routes
        .filter((route) => namespaceOf(route) === namespace)
        .filter((route) =>
          parentsOf(route).some(
            (parent) => parentKey(parent, route) === key && parent.port === wanted,
          ),
        );
      const rules = rulesOfRoutes(own, mesh);
      const middle = wanted === undefined ? '' : `${wanted}~`;
      const name = `${namespace}~${middle}${service.hostname}`;
      if (rules.length > 0) lists.push({ origin: { namespace, name }, rules });
    }
  }
  return lists;
}
