/** The status of routes whose parent is a Service (spec control-plane 5.5). */
import type { ParentReference, RouteParentStatus } from '@aquifer/model/resources';
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import { USE_WAYPOINT_LABEL, USE_WAYPOINT_NAMESPACE_LABEL } from '../derive/labels.ts';
import { type MeshSettings, serviceHostname } from '../derive/mesh.ts';
import type { MeshCollections } from '../derive/mesh-collections.ts';
import { type LabelledObject, labelsOf, nameOf, namespaceOf } from '../derive/object.ts';
import { ruleProblem } from '../derive/routing/gateway-filters.ts';
import {
  type BackendRef,
  type GatewayRule,
  gatewayRules,
  isServiceBackend,
  kindOf,
  parentsOf,
  type Route,
} from '../derive/routing/gateway-route.ts';
import type { ClusterInputs, ClusterReader } from '../ingest/cluster-inputs.ts';
import { collectionPath, WATCHED_KINDS } from '../ingest/kinds.ts';
import { type MalformedObjects, malformedKey } from '../ingest/malformed.ts';
import { isSameWish, type Wish } from '../reconcile/wish.ts';
import { type ConditionText, isPresent, withTransitionTime } from '../status/condition-list.ts';

const ROUTE_CONTROLLER = 'istio.io/gateway-controller';

/** The conditions of one parent, without times. */
interface DerivedRouteParent {
  readonly parentRef: ParentReference;
  readonly conditions: readonly ConditionText[];
}

/** What is known of the mesh besides the objects of the API. */
export interface KnownMesh extends Pick<MeshSettings, 'clusterDomain'> {
  /** Whether a service of the mesh has that name. */
  hasHost(hostname: string): boolean;
}

/** One entry for each parent that is a service; as upstream, those that come last in the alphabet first. */
export function deriveRouteParents(
  route: Route,
  cluster: ClusterReader,
  mesh: KnownMesh,
): DerivedRouteParent[] {
  const parents = parentsOf(route)
    .filter((parent) => !isForeign(parent, route, cluster))
    .toSorted((a, b) => (sortKey(a, route) < sortKey(b, route) ? 1 : -1));
  const references = resolvedRefs(route, cluster, mesh);
  return parents.map((parentRef) => {
    const namespace = parentRef.namespace ?? namespaceOf(route);
    const kind = parentRef.kind === 'ServiceEntry' ? 'ServiceEntry' : 'Service';
    const service = cluster.get(kind, namespace, parentRef.name);
    const accepted =
      service === undefined
        ? condition(
            'Accepted',
            'False',
            'NoMatchingParent',
            `parent service: "${parentRef.name}" not found`,
          )
        : condition('Accepted', 'True', 'Accepted', 'Route was valid');
    const message = waypointMessage(service, cluster);
    const waypoints = condition('ResolvedWaypoints', 'True', 'ResolvedWaypoints', message);
    return { parentRef, conditions: [accepted, references, waypoints] };
  });
}

function sortKey(parent: ParentReference, route: Route): string {
  const { name, sectionName = '', port = 0, namespace = namespaceOf(route) } = parent;
  return `${name}/${sectionName}/${port}.${namespace}`;
}

/** Whether the parent's waypoint is run by somebody else, who says what becomes of the route. */
function isForeign(parent: ParentReference, route: Route, cluster: ClusterReader): boolean {
  const service = cluster.get('Service', parent.namespace ?? namespaceOf(route), parent.name);
  if (service === undefined) return false;
  const namespace = cluster.get('Namespace', '', namespaceOf(service));
  const named = [service, namespace].find(namesWaypoint);
  if (named === undefined) return false;
  const labels = labelsOf(named);
  const home = labels[USE_WAYPOINT_NAMESPACE_LABEL] ?? namespaceOf(service);
  const gateway = cluster.get('Gateway', home, labels[USE_WAYPOINT_LABEL] ?? '');
  if (gateway === undefined) return false;
  const gatewayClass = cluster.get('GatewayClass', '', gateway.spec.gatewayClassName);
  return gatewayClass !== undefined && !gatewayClass.spec.controllerName.startsWith('istio.io/');
}

/** As upstream, only the labels are looked at: whether the waypoint is ready is said by the Service's own status. */
function waypointMessage(service: LabelledObject | undefined, cluster: ClusterReader): string {
  if (service === undefined) return 'parent not found';
  const namespace = cluster.get('Namespace', '', namespaceOf(service));
  return namesWaypoint(service) || namesWaypoint(namespace)
    ? 'All waypoints resolved'
    : 'istio.io/use-waypoint label missing from parent and parent namespace; in ambient mode, route will not be respected';
}

function namesWaypoint(object: LabelledObject | undefined): boolean {
  const name = labelsOf(object)[USE_WAYPOINT_LABEL] ?? '';
  return name !== '' && name.toLowerCase() !== 'none';
}

/** The first problem of the route's rules, in order: filters of a rule, then its backends. */
function resolvedRefs(route: Route, cluster: ClusterReader, mesh: KnownMesh): ConditionText {
  for (const rule of gatewayRules(route)) {
    const problem =
      invalidFilter(rule) ??
      receiving(rule.backends)
        .map((backend) => backendProblem(backend, namespaceOf(route), cluster, mesh))
        .find((found) => found !== null);
    if (problem) return condition('ResolvedRefs', 'False', problem.reason, problem.message);
  }
  return condition('ResolvedRefs', 'True', 'ResolvedRefs', 'All references resolved');
}

/** A backend that gets no requests is not looked at. */
function receiving(backends: readonly BackendRef[]): BackendRef[] {
  return backends.filter(({ weight = 1 }) => weight > 0);
}

interface Problem {
  readonly reason: 'InvalidFilter' | 'InvalidKind' | 'BackendNotFound' | 'InvalidDestination';
  readonly message: string;
}

function invalidFilter({ filters, backends }: GatewayRule): Problem | null {
  const message = ruleProblem(filters, receiving(backends));
  return message === null ? null : { reason: 'InvalidFilter', message };
}

function backendProblem(
  backend: BackendRef,
  routeNamespace: string,
  cluster: ClusterReader,
  mesh: KnownMesh,
): Problem | null {
  const { group = '', kind = 'Service', name, port } = backend;
  if (!isServiceBackend(backend)) {
    const message = `referencing unsupported backendRef: group "${group}" kind "${kind}"`;
    return { reason: 'InvalidKind', message };
  }
  if (port === undefined) {
    return { reason: 'InvalidDestination', message: 'port is required in backendRef' };
  }
  if (kind === 'Hostname') {
    const message = `backend(${name}) not found`;
    return mesh.hasHost(name) ? null : { reason: 'BackendNotFound', message };
  }
  const namespace = backend.namespace ?? routeNamespace;
  if (cluster.get('Service', namespace, name) !== undefined) return null;
  const message = `backend(${serviceHostname(mesh, namespace, name)}) not found`;
  return { reason: 'BackendNotFound', message };
}

function condition(
  type: string,
  status: 'True' | 'False',
  reason: string,
  message: string,
): ConditionText {
  return { type, status, reason, message };
}

interface RouteInputs {
  readonly cluster: ClusterInputs;
  readonly routes: Collection<Route>;
  readonly malformed: MalformedObjects;
}

/** The parents that differ, as writes; entries of other controllers stay as they are. */
export function routeWishes(
  graph: Graph,
  { cluster, routes, malformed }: RouteInputs,
  { installation, meshServicesByHostname }: MeshCollections,
): Collection<Wish> {
  return graph.flatMap(
    'wishes for routes',
    routes,
    (route, context) => {
      // Its last good version counts, but that is not what is to be said.
      const key = malformedKey(kindOf(route), route);
      if (context.get(malformed, key) !== undefined) return [];
      const wanted = deriveRouteParents(route, cluster.readerOf(context), {
        clusterDomain: installation.clusterDomain,
        hasHost: (hostname) => context.lookup(meshServicesByHostname, hostname).length > 0,
      });
      return routeStatusWish(route, wanted);
    },
    isSameWish,
  );
}

/** None if all of it is written already. */
export function routeStatusWish(
  route: Route,
  wanted: readonly DerivedRouteParent[],
): readonly (readonly [string, Wish])[] {
  const stored = route.status?.parents ?? [];
  const ours = stored.filter(({ controllerName }) => controllerName === ROUTE_CONTROLLER);
  const observedGeneration = route.metadata.generation ?? 0;
  const complete = wanted.map(({ parentRef, conditions }) => ({
    parentRef,
    controllerName: ROUTE_CONTROLLER,
    conditions: conditions.map((text) =>
      withTransitionTime({ ...text, observedGeneration }, storedFor(ours, parentRef)?.conditions),
    ),
  }));
  if (ours.length === complete.length && complete.every((parent) => isWritten(parent, ours))) {
    return [];
  }
  const others = stored.filter(({ controllerName }) => controllerName !== ROUTE_CONTROLLER);
  const { resourceVersion } = route.metadata;
  const path = `${collectionPath(WATCHED_KINDS[kindOf(route)], namespaceOf(route))}/${nameOf(route)}/status`;
  const body = { metadata: { resourceVersion }, status: { parents: [...others, ...complete] } };
  const fingerprint = JSON.stringify([resourceVersion, wanted]);
  return [[path, { fingerprint, write: { verb: 'mergePatch', path, body } }]];
}

function storedFor(
  stored: readonly RouteParentStatus[],
  parentRef: ParentReference,
): RouteParentStatus | undefined {
  const key = (ref: ParentReference): string =>
    [ref.group, ref.kind, ref.namespace, ref.name, ref.sectionName, ref.port].join('|');
  return stored.find((parent) => key(parent.parentRef) === key(parentRef));
}

function isWritten(
  wanted: { readonly parentRef: ParentReference; readonly conditions: readonly ConditionText[] },
  stored: readonly RouteParentStatus[],
): boolean {
  const conditions = storedFor(stored, wanted.parentRef)?.conditions;
  return wanted.conditions.every((text) => isPresent(text, conditions));
}
