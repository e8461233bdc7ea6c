/** The routes of one host at a sidecar (spec l7 1.2, 1.15; recordings l7/08–10, 13). */
import type { VirtualService } from '@aquifer/model/resources';
import type { Context } from '../../../collections/cell.ts';
import type { MeshSettings } from '../../mesh.ts';
import type { MeshService } from '../../mesh-service.ts';
import { nameOf, namespaceOf } from '../../object.ts';
import { parentsOf } from '../../routing/gateway-route.ts';
import type { Destination } from '../../routing/route-rule.ts';
import { MESH_GATEWAY } from '../../routing/virtual-service-match.ts';
import { rulesOfVirtualService } from '../../routing/virtual-service-rules.ts';
import { consistentHashOf } from '../../traffic/traffic-policy.ts';
import { hashPolicy } from '../envoy-hash.ts';
import {
  envoyRoute,
  type HashPolicyInit,
  type RouteCluster,
  type RouteInit,
  type RouteTarget,
  type Scheme,
} from '../envoy-route.ts';
import { outboundCluster } from '../names.ts';
import { l7Ports } from '../port-protocol.ts';
import { gatewayLists, type RouteList } from '../route-lists.ts';
import { ANY_NAMESPACE, type RoutingLookups } from '../routing-lookups.ts';
import { parentKey, sourceOf } from '../waypoint-ref.ts';
import type { EgressListener, EgressScope } from './egress-scope.ts';
import type { OutboundView } from './views.ts';
import { covering } from './virtual-services.ts';

/** Who follows rules, and how what they name is found. */
export interface RouteClient {
  readonly view: Pick<OutboundView, 'namespace' | 'labels'>;
  readonly mesh: MeshSettings;
  readonly routing: RoutingLookups;
  readonly context: Context;
}

/** The rules of the Gateway API for a service: those of the client's namespace, else those of the service's. */
function rulesOfService(
  service: MeshService,
  port: number,
  { view, mesh, routing, context }: RouteClient,
): RouteList[] {
  const routes = routing.routesOf(context, sourceOf(service));
  const own = routes.filter((route) => namespaceOf(route) === view.namespace);
  const theirs = routes.filter((route) => namespaceOf(route) === namespaceOf(service));
  const counted = own.length > 0 ? own : theirs;
  const isMeant = counted.some((route) =>
    parentsOf(route).some((parent) => parentKey(parent, route) === sourceOf(service)),
  );
  if (!isMeant) return [];
  const waypoint = { namespace: view.namespace };
  return gatewayLists(port, { service, waypoint, routes: counted }, mesh);
}

/** The rules of the first VirtualService that covers the host; none if none of them is for the client. */
function rulesOfHost(
  [first]: readonly VirtualService[],
  port: number,
  { view, mesh, routing, context }: RouteClient,
): RouteList[] {
  if (first === undefined) return [];
  const audience = { port, gateways: [MESH_GATEWAY], ...view };
  const find = routing.findVirtualService(context);
  const rules = rulesOfVirtualService(first, audience, find, mesh);
  const origin = { namespace: namespaceOf(first), name: nameOf(first) };
  return rules.length === 0 ? [] : [{ origin, rules }];
}

/** A host that clients ask for at a port. */
interface AskedHost {
  readonly hostname: string;
  readonly port: number;
  /** Null where only VirtualServices know the host. */
  readonly service: MeshService | null;
}

/** All rules for a host, as a listener of the scope sees it: those of the Gateway API first. */
export function rulesAt(
  { hostname, port, service }: AskedHost,
  seen: { readonly scope: EgressScope; readonly listener: EgressListener },
  client: RouteClient,
): RouteList[] {
  const found = client.routing.virtualServicesOf(client.context, ANY_NAMESPACE, hostname);
  return [
    ...(service === null ? [] : rulesOfService(service, port, client)),
    ...rulesOfHost(covering(found, hostname, seen, client.mesh), port, client),
  ];
}

export function envoyRoutes(
  lists: readonly RouteList[],
  port: number,
  client: RouteClient,
  scheme: Scheme = 'http',
): RouteInit[] {
  return lists.flatMap(({ origin, rules }) => {
    const target: RouteTarget = {
      port,
      scheme,
      origin,
      clusterOf: (destination) => clusterOf(destination, port, client),
      hashOf: (destination) => hashOf(destination, client),
    };
    return rules.map((rule) => envoyRoute(rule, target));
  });
}

/** A cluster that does not exist. */
const UNKNOWN: RouteCluster = { name: 'UnknownService', authority: null };

/** A missing service gets the name that it would have, so that its share of the requests fails. */
export function clusterOf(
  destination: Destination,
  listenPort: number,
  { view, routing, context }: Pick<RouteClient, 'view' | 'routing' | 'context'>,
): RouteCluster {
  const { host, subset } = destination;
  if (host === null) return UNKNOWN;
  const service = routing.serviceAt(context, view.namespace, destination);
  const [only, ...others] = l7Ports(service?.ports ?? []);
  const single = others.length === 0 ? only?.port : undefined;
  const port = destination.port ?? single ?? listenPort;
  return { name: outboundCluster(port, host, subset), authority: `${host}:${port}` };
}

function hashOf(
  destination: Destination,
  { view, routing, context }: RouteClient,
): HashPolicyInit | null {
  const service = routing.serviceAt(context, view.namespace, destination);
  if (service === undefined) return null;
  return hashOfService(service, destination.subset, destination.port, { view, routing, context });
}

/** By what requests to the service are hashed to one endpoint; null if they are not. */
export function hashOfService(
  service: MeshService,
  subset: string,
  port: number | null,
  { view, routing, context }: Pick<RouteClient, 'view' | 'routing' | 'context'>,
): HashPolicyInit | null {
  const traffic = routing.trafficOf(context, view, service);
  const hash = traffic === null ? null : consistentHashOf(traffic, subset, port);
  return hash === null ? null : hashPolicy(hash);
}
