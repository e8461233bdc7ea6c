/** What waypoints are served, as collections: Envoy's clusters, endpoints and listeners, by waypoint. */
import type { Workload } from '@aquifer/model';
import type { AuthorizationPolicy, Gateway } from '@aquifer/model/resources';
import type { Cluster } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import type { ClusterLoadAssignment } from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import type { Listener } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import type { Context } from '../../collections/cell.ts';
import type { Collection, Index } from '../../collections/collection.ts';
import type { Graph } from '../../collections/graph.ts';
import { type ClusterInputs, keyOf, objectKey } from '../../ingest/cluster-inputs.ts';
import { WAYPOINT_CONTROLLER } from '../labels.ts';
import type { MeshSettings } from '../mesh.ts';
import type { MeshCollections } from '../mesh-collections.ts';
import type { MeshService } from '../mesh-service.ts';
import { isSameResource, type Resource } from '../resource.ts';
import type { ServedService } from '../service-collections.ts';
import { addressKey } from '../waypoints.ts';
import { ENCAP } from './names.ts';
import { kindOf, parentsOf, type Route } from './route-rule.ts';
import { parentKey, policyTargets, type WaypointScope, waypointScope } from './scope.ts';
import {
  assignmentResource,
  boundResource,
  type ServiceAssignment,
  type Skeleton,
  skeleton,
} from './skeleton.ts';

/** A resource of one waypoint. */
export interface OwnedResource<T = unknown> {
  /** `namespace/name` of the Gateway. */
  readonly waypoint: string;
  readonly resource: Resource<T>;
}

export interface WaypointCollections {
  readonly clusters: Collection<OwnedResource<Cluster>>;
  readonly endpoints: Collection<OwnedResource<ClusterLoadAssignment>>;
  readonly listeners: Collection<OwnedResource<Listener>>;
  /** HTTPRoutes and GRPCRoutes. */
  readonly routes: Collection<Route>;
}

export function waypointCollections(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
  settings: MeshSettings,
): WaypointCollections {
  const { routes, scopeOf } = waypointScopes(graph, cluster, mesh, settings);
  const gateways = waypointGateways(graph, cluster);
  const byWaypoint = graph.index('workloads by waypoint', mesh.workloads, ({ value }) =>
    value.waypoint === null ? [] : [addressKey(value.waypoint)],
  );
  const boundTo = (key: string, context: Context): readonly Resource<Workload>[] => {
    const address = context.get(mesh.waypoints, key)?.address ?? null;
    return address === null ? NOTHING : context.lookup(byWaypoint, addressKey(address));
  };
  const skeletons = graph.map(
    'waypoint skeletons',
    gateways,
    (gateway, context, key) => skeleton(scopeOf(gateway, context), boundTo(key, context)),
    isSameSkeleton,
  );
  return {
    routes,
    clusters: graph.flatMap(
      'waypoint clusters',
      skeletons,
      ({ clusters }, _context, waypoint) => clusters.map((made) => ownedBy(waypoint, made)),
      isSameOwned,
    ),
    listeners: graph.flatMap(
      'waypoint listeners',
      skeletons,
      ({ listeners }, _context, waypoint) => listeners.map((made) => ownedBy(waypoint, made)),
      isSameOwned,
    ),
    endpoints: waypointEndpoints({ graph, mesh, gateways, skeletons, boundTo }),
  };
}

const NOTHING: readonly never[] = [];

function ownedBy<T>(waypoint: string, resource: Resource<T>): readonly [string, OwnedResource<T>] {
  return [`${waypoint} ${resource.name}`, { waypoint, resource }];
}

function isSameOwned(before: OwnedResource, now: OwnedResource): boolean {
  return before.waypoint === now.waypoint && isSameResource(before.resource, now.resource);
}

function isSameSkeleton(before: Skeleton, now: Skeleton): boolean {
  const same = (a: readonly Resource[], b: readonly Resource[]): boolean =>
    a.length === b.length && a.every((resource, index) => isSameResource(resource, b[index]!));
  const { assignments } = before;
  return (
    same(before.clusters, now.clusters) &&
    same(before.listeners, now.listeners) &&
    assignments.length === now.assignments.length &&
    assignments.every((assignment, index) => assignment.service === now.assignments[index]?.service)
  );
}

/** Gateways whose class is a waypoint's. */
function waypointGateways(graph: Graph, cluster: ClusterInputs): Collection<Gateway> {
  return graph.map('waypoint gateways', cluster.of('Gateway'), (gateway, context) => {
    const classKey = objectKey('', gateway.spec.gatewayClassName);
    const gatewayClass = context.get(cluster.of('GatewayClass'), classKey);
    return gatewayClass?.spec.controllerName === WAYPOINT_CONTROLLER ? gateway : null;
  });
}

interface Scopes {
  readonly routes: Collection<Route>;
  readonly scopeOf: (gateway: Gateway, context: Context) => WaypointScope;
}

function waypointScopes(
  graph: Graph,
  cluster: ClusterInputs,
  mesh: MeshCollections,
  settings: MeshSettings,
): Scopes {
  const attached: Index<ServedService> = graph.index(
    'services by waypoint',
    mesh.services,
    ({ waypoints }) => waypoints,
  );
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
  const policiesByTarget = graph.index(
    'policies by target',
    cluster.of('AuthorizationPolicy'),
    (policy) => policyTargets(policy, settings),
  );
  const lookups = (context: Context) => ({
    routesOf: (parent: string): readonly Route[] => context.lookup(routesByParent, parent),
    policiesAt: (target: string): readonly AuthorizationPolicy[] =>
      context.lookup(policiesByTarget, target),
    service: (key: string): MeshService | undefined => context.get(mesh.meshServices, key),
  });
  return {
    routes,
    scopeOf: (gateway, context) => {
      const services = context.lookup(attached, keyOf(gateway)).map(({ service }) => service);
      return waypointScope(gateway, services, lookups(context), settings);
    },
  };
}

interface EndpointInputs {
  readonly graph: Graph;
  readonly gateways: Collection<Gateway>;
  readonly skeletons: Collection<Skeleton>;
  readonly mesh: MeshCollections;
  readonly boundTo: (key: string, context: Context) => readonly Resource<Workload>[];
}

interface OwnedAssignment {
  readonly waypoint: string;
  readonly assignment: ServiceAssignment;
}

/** Of each cluster, and of the workloads that are bound to the waypoint themselves. */
function waypointEndpoints(
  inputs: EndpointInputs,
): Collection<OwnedResource<ClusterLoadAssignment>> {
  const { graph, mesh, gateways, skeletons, boundTo } = inputs;
  const assignments = graph.flatMap('waypoint assignments', skeletons, (made, _context, waypoint) =>
    made.assignments.map((assignment): readonly [string, OwnedAssignment] => [
      `${waypoint} ${assignment.clusterName}`,
      { waypoint, assignment },
    ]),
  );
  const ofServices = graph.map(
    'endpoints of clusters',
    assignments,
    ({ waypoint, assignment }, context): OwnedResource<ClusterLoadAssignment> => {
      const workloads = context.lookup(mesh.workloadsByService, assignment.serviceKey);
      return { waypoint, resource: assignmentResource(assignment, workloads) };
    },
    isSameOwned,
  );
  const ofWorkloads = graph.flatMap(
    'endpoints of workloads',
    gateways,
    (_gateway, context, waypoint) => {
      const bound = boundTo(waypoint, context);
      return bound.length === 0 ? [] : [ownedBy(waypoint, boundResource(bound))];
    },
    isSameOwned,
  );
  return graph.union(`endpoints with ${ENCAP}`, ofServices, ofWorkloads);
}
