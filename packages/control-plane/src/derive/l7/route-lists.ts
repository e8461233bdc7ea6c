/** The rules for a port of a service at its waypoint: lists that are tried one after the other (recordings l7/04, 11). */
import type { VirtualService } from '@aquifer/model/resources';
import type { MeshSettings } from '../mesh.ts';
import type { MeshService } from '../mesh-service.ts';
import { nameOf, namespaceOf } from '../object.ts';
import type { FindVirtualService } from '../routing/delegates.ts';
import { parentsOf, type Route } from '../routing/gateway-route.ts';
import { rulesOfRoutes } from '../routing/gateway-rules.ts';
import type { RouteRule } from '../routing/route-rule.ts';
import { MESH_GATEWAY, type RuleAudience } from '../routing/virtual-service-match.ts';
import { rulesOfVirtualService } from '../routing/virtual-service-rules.ts';
import { parentKey, sourceOf, type WaypointRef } from './waypoint-ref.ts';

type Names = Pick<MeshSettings, 'clusterDomain'>;

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
  /** The oldest first. */
  readonly virtualServices: readonly VirtualService[];
}

/** Waypoints do not know labels of clients; as recorded, the namespace that blocks ask for is compared with their own. */
export function audienceAt(port: number, { namespace }: WaypointRef): RuleAudience {
  return { port, gateways: [MESH_GATEWAY], namespace, labels: null };
}

/** Rules of the Gateway API before those of VirtualServices, which are a list each. */
export function routeLists(
  port: number,
  routed: RoutedService,
  find: FindVirtualService,
  mesh: Names,
): RouteList[] {
  const audience = audienceAt(port, routed.waypoint);
  const written = routed.virtualServices.map((service) => ({
    origin: { namespace: namespaceOf(service), name: nameOf(service) },
    rules: rulesOfVirtualService(service, audience, find, mesh),
  }));
  return [...gatewayLists(port, routed, mesh), ...written.filter(({ rules }) => rules.length > 0)];
}

/**
 * The routes of one namespace with the same kind of parent are a list, HTTPRoutes and GRPCRoutes together. Those that
 * name the port come before those that name none, the service's own namespace before the waypoint's.
 */
export function gatewayLists(
  port: number,
  {
    service,
    waypoint,
    routes,
  }: Pick<RoutedService, 'service' | 'routes'> & {
    readonly waypoint: Pick<WaypointRef, 'namespace'>;
  },
  mesh: Names,
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
