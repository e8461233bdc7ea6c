/** How routes, VirtualServices, DestinationRules and the services that they name are found, whoever follows them. */
import type { VirtualService } from '@aquifer/model/resources';
import type { Context } from '../../collections/cell.ts';
import type { Collection } from '../../collections/collection.ts';
import type { Graph } from '../../collections/graph.ts';
import { type ClusterInputs, keyOf, objectKey } from '../../ingest/cluster-inputs.ts';
import { isPermitted } from '../gateway-api/any-route.ts';
import type { Attachment, GatewayApiCollections } from '../gateway-api/gateway-api-collections.ts';
import { rawRouteLookups } from '../gateway-api/raw-routes.ts';
import type { MeshCollections } from '../mesh-collections.ts';
import { type MeshService, meshServiceKey } from '../mesh-service.ts';
import { settingsIn } from '../mesh-settings.ts';
import { namespaceOf } from '../object.ts';
import type { FindVirtualService } from '../routing/delegates.ts';
import { kindOf, parentsOf, type Route } from '../routing/gateway-route.ts';
import type { MayLead } from '../routing/gateway-rules.ts';
import type { Destination } from '../routing/route-rule.ts';
import { gatewaysOf, hostKeys, hostsOf, keysOfHost } from '../routing/virtual-service-index.ts';
import { withBackendTls } from '../traffic/backend-tls.ts';
import {
  destinationPolicy,
  ruledHost,
  ruleNamespaces,
  type TrafficSource,
} from '../traffic/destination-rules.ts';
import type { DestinationPolicy } from '../traffic/traffic-policy.ts';
import { parentKey } from './waypoint-ref.ts';

export interface RoutingLookups {
  /** HTTPRoutes and GRPCRoutes. */
  readonly routes: Collection<Route>;
  /** Those with that parent, as `parentKey` names it. */
  routesOf(context: Context, parent: string): readonly Route[];
  /** Of that namespace, or of any (`*`), those that may have such a host. */
  virtualServicesOf(
    context: Context,
    namespace: string,
    hostname: string,
  ): readonly VirtualService[];
  findVirtualService(context: Context): FindVirtualService;
  /** Those that a gateway, `namespace/name`, follows. */
  virtualServicesAt(context: Context, gateway: string): readonly VirtualService[];
  readonly gatewayApi: GatewayApiCollections;
  /** Routes of all kinds at a listener, as `listenerKey` names it. */
  attachmentsAt(context: Context, listener: string): readonly Attachment[];
  /** What TCPRoutes and TLSRoutes become there. */
  rawRoutesAt(context: Context, listener: string): readonly VirtualService[];
  /** And where such a host is their parent, those of a namespace, or of any (`*`). */
  rawRoutesOf(context: Context, namespace: string, hostname: string): readonly VirtualService[];
  /** At gateways; in the mesh every route may lead to what it names. */
  mayLead(context: Context): MayLead;
  /** As the client sees it. */
  trafficOf(
    context: Context,
    client: TrafficSource,
    service: MeshService,
  ): DestinationPolicy | null;
  /** Of a namespace, or of all (`*`). */
  servicesIn(context: Context, namespace: string): readonly MeshService[];
  /** Seen from a namespace. */
  serviceAt(context: Context, namespace: string, to: Destination): MeshService | undefined;
}

/** In whichever namespace. */
export const ANY_NAMESPACE = '*';

export function routingLookups(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
  gatewayApi: GatewayApiCollections,
): RoutingLookups {
  const raw = rawRouteLookups({ graph, mesh, gatewayApi });
  const ofKind = (kind: 'HTTPRoute' | 'GRPCRoute'): Collection<Route> =>
    graph.flatMap(
      `routes of ${kind}`,
      cluster.of(kind) as Collection<Route>,
      (route) => [[`${kindOf(route)}/${keyOf(route)}`, route]],
      Object.is,
    );
  const routes = graph.union('routes', ofKind('HTTPRoute'), ofKind('GRPCRoute'));
  const routesByParent = graph.index('routes by parent', routes, (route) =>
    parentsOf(route).map((parent) => parentKey(parent, route)),
  );
  const atGateways = graph.index(
    'VirtualServices by gateway',
    cluster.of('VirtualService'),
    gatewaysOf,
  );
  const services = graph.index('services by namespace', mesh.meshServices, (service) => [
    namespaceOf(service),
    ANY_NAMESPACE,
  ]);
  return {
    routes,
    gatewayApi,
    attachmentsAt: (context, listener) => context.lookup(gatewayApi.attachments, listener),
    rawRoutesAt: (context, listener) => raw.atListener(context, listener),
    rawRoutesOf: (context, namespace, hostname) =>
      unique(keysOfHost(namespace, hostname).flatMap((key) => context.lookup(raw.ofHosts, key))),
    mayLead: (context) => {
      const isGranted = gatewayApi.grantsIn(context);
      return (route, backend) => isPermitted(route, backend, isGranted);
    },
    virtualServicesAt: (context, gateway) => context.lookup(atGateways, gateway),
    servicesIn: (context, namespace) => context.lookup(services, namespace),
    routesOf: (context, parent) => context.lookup(routesByParent, parent),
    findVirtualService: (context) => (namespace, name) =>
      context.get(cluster.of('VirtualService'), objectKey(namespace, name)),
    serviceAt: (context, namespace, to) => serviceAt(to, namespace, context, mesh),
    ...byHost(graph, cluster, mesh, gatewayApi),
  };
}

function byHost(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
  gatewayApi: GatewayApiCollections,
): Pick<RoutingLookups, 'virtualServicesOf' | 'trafficOf'> {
  const names = { clusterDomain: mesh.installation.clusterDomain };
  const services = graph.index(
    'VirtualServices by host',
    cluster.of('VirtualService'),
    (service) => {
      const hosts = hostsOf(service, names);
      return [...hostKeys(namespaceOf(service), hosts), ...hostKeys(ANY_NAMESPACE, hosts)];
    },
  );
  const rules = graph.index('DestinationRules by host', cluster.of('DestinationRule'), (rule) =>
    hostKeys(namespaceOf(rule), [ruledHost(rule, names)]),
  );
  return {
    virtualServicesOf: (context, namespace, hostname) =>
      unique(keysOfHost(namespace, hostname).flatMap((key) => context.lookup(services, key))),
    trafficOf: (context, client, service) => {
      const settings = settingsIn(mesh, context);
      const ruled = { hostname: service.hostname, namespace: namespaceOf(service) };
      const found = ruleNamespaces(client, ruled, settings)
        .flatMap((namespace) => keysOfHost(namespace, service.hostname))
        .flatMap((key) => context.lookup(rules, key));
      const said = destinationPolicy(unique(found), client, ruled, settings);
      if (service.kind !== 'Service') return said;
      return withBackendTls(said, gatewayApi.backendTls.tlsOf(context, keyOf(service)));
    },
  };
}

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}

/** Of a host without a namespace: a Service, else an entry of the client's namespace, else one that everybody may see. */
function serviceAt(
  { namespace, host }: Destination,
  from: string,
  context: Context,
  mesh: MeshCollections,
): MeshService | undefined {
  if (host === null) return undefined;
  if (namespace !== null) {
    const key = meshServiceKey(settingsIn(mesh, context), namespace, host);
    return context.get(mesh.meshServices, key);
  }
  const found = context.lookup(mesh.meshServicesByHostname, host);
  return (
    found.find(({ kind }) => kind === 'Service') ??
    found.find((service) => namespaceOf(service) === from) ??
    found.find(({ visibility }) => visibility === 'public')
  );
}
