/** How what belongs to a service at a waypoint is found: indexes over routes, policies and DestinationRules. */
import type { AuthorizationPolicy, RequestAuthentication } from '@aquifer/model/resources';
import type { Context } from '../../collections/cell.ts';
import type { Collection, Index } from '../../collections/collection.ts';
import type { Graph } from '../../collections/graph.ts';
import { type ClusterInputs, keyOf, objectKey } from '../../ingest/cluster-inputs.ts';
import type { MeshCollections } from '../mesh-collections.ts';
import { type MeshService, meshServiceKey } from '../mesh-service.ts';
import { settingsIn } from '../mesh-settings.ts';
import { namespaceOf } from '../object.ts';
import { kindOf, parentsOf, type Route } from '../routing/gateway-route.ts';
import type { Destination } from '../routing/route-rule.ts';
import { hostKeys, hostsOf, keysOfHost } from '../routing/virtual-service-index.ts';
import { destinationPolicy, ruledHost, ruleNamespaces } from '../traffic/destination-rules.ts';
import { policyTargets, type ScopeLookups } from './scope.ts';
import { parentKey, type WaypointRef } from './waypoint-ref.ts';

export type LookupsOf = (context: Context, waypoint: WaypointRef) => ScopeLookups;

interface RouteCollections {
  /** HTTPRoutes and GRPCRoutes. */
  readonly routes: Collection<Route>;
  readonly lookupsOf: LookupsOf;
}

/** Where it is found. */
export interface ScopeSources {
  readonly graph: Graph;
  readonly cluster: ClusterInputs;
  readonly mesh: MeshCollections;
  /** JSON Web Key Sets by address, as they were fetched. */
  readonly keySets: Collection<string>;
}

export function scopeLookups({ graph, cluster, mesh, keySets }: ScopeSources): RouteCollections {
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
  const policiesByTarget: Index<AuthorizationPolicy> = graph.index(
    'policies by target',
    cluster.of('AuthorizationPolicy'),
    policyTargets,
  );
  const authenticationsByTarget: Index<RequestAuthentication> = graph.index(
    'token rules by target',
    cluster.of('RequestAuthentication'),
    policyTargets,
  );
  const byHost = hostIndexes(graph, cluster, mesh);
  const lookupsOf: LookupsOf = (context, waypoint) => ({
    routesOf: (parent) => context.lookup(routesByParent, parent),
    policiesAt: (target) => context.lookup(policiesByTarget, target),
    authenticationsAt: (target) => context.lookup(authenticationsByTarget, target),
    findKeySet: (address) => context.get(keySets, address),
    virtualService: (namespace, name) =>
      context.get(cluster.of('VirtualService'), objectKey(namespace, name)),
    ...byHost(context, waypoint),
    serviceAt: (destination) => serviceAt(destination, waypoint, context, mesh),
    isAttached: (key) => {
      const { namespace, name } = waypoint;
      const attached = context.get(mesh.services, key)?.waypoints ?? [];
      return attached.includes(objectKey(namespace, name));
    },
  });
  return { routes, lookupsOf };
}

function hostIndexes(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
): (
  context: Context,
  waypoint: WaypointRef,
) => Pick<ScopeLookups, 'virtualServicesOf' | 'trafficOf'> {
  const names = { clusterDomain: mesh.installation.clusterDomain };
  const services = graph.index('VirtualServices by host', cluster.of('VirtualService'), (service) =>
    hostKeys(namespaceOf(service), hostsOf(service, names)),
  );
  const rules = graph.index('DestinationRules by host', cluster.of('DestinationRule'), (rule) =>
    hostKeys(namespaceOf(rule), [ruledHost(rule, names)]),
  );
  return (context, waypoint) => ({
    virtualServicesOf: (namespace, hostname) =>
      unique(keysOfHost(namespace, hostname).flatMap((key) => context.lookup(services, key))),
    trafficOf: (service) => {
      const settings = settingsIn(mesh, context);
      const ruled = { hostname: service.hostname, namespace: namespaceOf(service) };
      const found = ruleNamespaces(waypoint, ruled, settings)
        .flatMap((namespace) => keysOfHost(namespace, service.hostname))
        .flatMap((key) => context.lookup(rules, key));
      const client = { namespace: waypoint.namespace, labels: null };
      return destinationPolicy(unique(found), client, ruled, settings);
    },
  });
}

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}

/** Of a host without a namespace: a Service, else an entry of the waypoint's namespace, else one that everybody may see. */
function serviceAt(
  { namespace, host }: Destination,
  waypoint: WaypointRef,
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
    found.find((service) => namespaceOf(service) === waypoint.namespace) ??
    found.find(({ visibility }) => visibility === 'public')
  );
}
