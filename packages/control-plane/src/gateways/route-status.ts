/** The status of routes whose parents are services of the mesh, or Gateways that are run here (spec control-plane 5.5). */
import type { ParentReference, RouteParentStatus } from '@aquifer/model/resources';
import type { Collection } from '../collections/collection.ts';
import type { Graph } from '../collections/graph.ts';
import {
  type AnyRoute,
  isPermitted,
  isRaw,
  leadingRules,
  receiving,
  routeKind,
} from '../derive/gateway-api/any-route.ts';
import type {
  GatewayApiCollections,
  GatewayParent,
} from '../derive/gateway-api/gateway-api-collections.ts';
import type { IsGranted } from '../derive/gateway-api/grants.ts';
import { USE_WAYPOINT_LABEL, USE_WAYPOINT_NAMESPACE_LABEL } from '../derive/labels.ts';
import { type MeshSettings, serviceHostname } from '../derive/mesh.ts';
import type { MeshCollections } from '../derive/mesh-collections.ts';
import { type LabelledObject, labelsOf, nameOf, namespaceOf } from '../derive/object.ts';
import { ruleProblem } from '../derive/routing/gateway-filters.ts';
import {
  type BackendRef,
  gatewayRules,
  isServiceBackend,
  parentsOf,
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

/** What a route names besides services of the mesh. */
interface AtGateways {
  readonly parents: readonly GatewayParent[];
  readonly isGranted: IsGranted;
}

const NO_GATEWAYS: AtGateways = { parents: [], isGranted: () => true };

/** One entry for each parent that is known here; as upstream, those that come last in the alphabet first. */
export function deriveRouteParents(
  route: AnyRoute,
  cluster: ClusterReader,
  mesh: KnownMesh,
  atGateways: AtGateways = NO_GATEWAYS,
): DerivedRouteParent[] {
  const inMesh = parentsOf(route).filter((parent) => !isForeign(parent, route, cluster));
  // In the mesh nobody asks for grants (recording l7/07).
  const references = resolvedRefs(route, cluster, mesh, () => true);
  const parents = [
    ...inMesh.map((parentRef) => serviceParent(parentRef, route, cluster, references)),
    ...gatewayParents(route, cluster, mesh, atGateways),
  ];
  return parents.toSorted((a, b) =>
    sortKey(a.parentRef, route) < sortKey(b.parentRef, route) ? 1 : -1,
  );
}

function serviceParent(
  parentRef: ParentReference,
  route: AnyRoute,
  cluster: ClusterReader,
  references: ConditionText,
): DerivedRouteParent {
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
  return { parentRef, conditions: [accepted, references, waypoints(service, cluster)] };
}

function waypoints(service: LabelledObject | undefined, cluster: ClusterReader): ConditionText {
  const message = waypointMessage(service, cluster);
  return condition('ResolvedWaypoints', 'True', 'ResolvedWaypoints', message);
}

function gatewayParents(
  route: AnyRoute,
  cluster: ClusterReader,
  mesh: KnownMesh,
  { parents, isGranted }: AtGateways,
): DerivedRouteParent[] {
  if (parents.length === 0) return [];
  const references = resolvedRefs(route, cluster, mesh, isGranted);
  const resolved = condition(
    'ResolvedWaypoints',
    'True',
    'ResolvedWaypoints',
    'All waypoints resolved',
  );
  return parents.map((parent) => ({
    parentRef: parent.parentRef,
    conditions: [acceptedBy(parent), references, resolved],
  }));
}

function acceptedBy({ attached, denial }: GatewayParent): ConditionText {
  if (denial !== null) return condition('Accepted', 'False', denial.reason, denial.message);
  const bound = attached.length > 1 ? `, bound to ${attached.length} parents` : '';
  return condition('Accepted', 'True', 'Accepted', `Route was valid${bound}`);
}

function sortKey(parent: ParentReference, route: AnyRoute): string {
  const { group = 'gateway.networking.k8s.io', kind = 'Gateway', name } = parent;
  const { sectionName = '', port = 0, namespace = namespaceOf(route) } = parent;
  return `${group}/${kind}/${name}/${sectionName}/${port}.${namespace}`;
}

/** Whether the parent's waypoint is run by somebody else, who says what becomes of the route. */
function isForeign(parent: ParentReference, route: AnyRoute, cluster: ClusterReader): boolean {
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

/** The first problem of the route's rules, in order: filters of a rule, then what it leads to. */
function resolvedRefs(
  route: AnyRoute,
  cluster: ClusterReader,
  mesh: KnownMesh,
  isGranted: IsGranted,
): ConditionText {
  const filters = filterProblems(route);
  for (const [index, { backends, mirrors }] of leadingRules(route).entries()) {
    const problem =
      filters[index] ??
      [...backends, ...mirrors]
        .map((backend) => grantProblem(backend, route, isGranted))
        .find((found) => found !== null) ??
      backends
        .map((backend) => backendProblem(backend, namespaceOf(route), cluster, mesh))
        .find((found) => found !== null);
    if (problem) return condition('ResolvedRefs', 'False', problem.reason, problem.message);
  }
  return condition('ResolvedRefs', 'True', 'ResolvedRefs', 'All references resolved');
}

interface Problem {
  readonly reason:
    | 'InvalidFilter'
    | 'InvalidKind'
    | 'BackendNotFound'
    | 'InvalidDestination'
    | 'RefNotPermitted';
  readonly message: string;
}

/** Of each rule. */
function filterProblems(route: AnyRoute): readonly (Problem | null)[] {
  if (isRaw(route)) return [];
  return gatewayRules(route).map(({ filters, backends }) => {
    const message = ruleProblem(filters, receiving(backends));
    return message === null ? null : { reason: 'InvalidFilter', message };
  });
}

function grantProblem(backend: BackendRef, route: AnyRoute, isGranted: IsGranted): Problem | null {
  if (isPermitted(route, backend, isGranted)) return null;
  const message = `backendRef ${backend.name}/${backend.namespace} not accessible to a ${routeKind(route)} in namespace "${namespaceOf(route)}" (missing a ReferenceGrant?)`;
  return { reason: 'RefNotPermitted', message };
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
  readonly gatewayApi: GatewayApiCollections;
  readonly malformed: MalformedObjects;
}

/** The parents that differ, as writes; entries of other controllers stay as they are. */
export function routeWishes(
  graph: Graph,
  { cluster, gatewayApi, malformed }: RouteInputs,
  { installation, meshServicesByHostname }: MeshCollections,
): Collection<Wish> {
  return graph.flatMap(
    'wishes for routes',
    gatewayApi.routeParents,
    ({ route, parents }, context) => {
      // Its last good version counts, but that is not what is to be said.
      if (context.get(malformed, malformedKey(routeKind(route), route)) !== undefined) return [];
      const mesh = {
        clusterDomain: installation.clusterDomain,
        hasHost: (hostname: string) => context.lookup(meshServicesByHostname, hostname).length > 0,
      };
      const isGranted = gatewayApi.grantsIn(context);
      const reader = cluster.readerOf(context);
      return routeStatusWish(
        route,
        deriveRouteParents(route, reader, mesh, { parents, isGranted }),
      );
    },
    isSameWish,
  );
}

/** None if all of it is written already. */
export function routeStatusWish(
  route: AnyRoute,
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
  const path = `${collectionPath(WATCHED_KINDS[routeKind(route)], namespaceOf(route))}/${nameOf(route)}/status`;
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
