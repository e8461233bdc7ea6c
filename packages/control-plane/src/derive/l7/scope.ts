/** What a Service at a waypoint is served with: its routes, the policies that hold there, and the backends of the routes. */
import type {
  AuthorizationPolicy,
  ObjectMeta,
  ParentReference,
  Service,
} from '@aquifer/model/resources';
import { objectKey } from '../../ingest/cluster-inputs.ts';
import type { ObjectRef } from '../../ingest/kinds.ts';
import { type MeshSettings, serviceHostname } from '../mesh.ts';
import { nameOf, namespaceOf } from '../object.ts';
import { type Route, type RouteRule, routeRules } from './route-rule.ts';

/** A Service as configuration names it. */
export interface MeshServiceRef {
  readonly namespace: string;
  readonly name: string;
  readonly hostname: string;
}

/** A waypoint as configuration names it. */
export interface WaypointRef {
  readonly namespace: string;
  readonly name: string;
  readonly className: string;
  readonly source: ObjectRef;
}

/** A Service that routes name as backend. */
interface BackendService {
  readonly service: Service;
  /** Whether the Service's own chains and clusters at this waypoint can take what a route sends to it. */
  readonly isReachedInbound: boolean;
}

/** Everything that the chains and clusters of one Service at one waypoint are made of; endpoints come later. */
export interface ServiceScope {
  readonly mesh: MeshSettings;
  readonly waypoint: WaypointRef;
  readonly service: Service;
  /** Those with the Service as parent, of its namespace and of the waypoint's. */
  readonly routes: readonly Route[];
  /** AuthorizationPolicies that hold here: the waypoint's own, and the Service's. */
  readonly policies: readonly AuthorizationPolicy[];
  /** Services that the routes name as backends, by `namespace/name`; those that exist. */
  readonly backends: ReadonlyMap<string, BackendService>;
}

type TargetRef = NonNullable<NonNullable<AuthorizationPolicy['spec']>['targetRefs']>[number];

export function refToService(service: Service, mesh: MeshSettings): MeshServiceRef {
  const namespace = namespaceOf(service);
  const name = nameOf(service);
  return { namespace, name, hostname: serviceHostname(mesh, namespace, name) };
}

/** Whether clients address the pods behind the Service themselves. */
export function isHeadless({ spec }: Service): boolean {
  return spec?.clusterIP === 'None';
}

/** How the objects that belong to a Service at a waypoint are found. */
export interface ScopeLookups {
  /** Those with the Service (`namespace/name`) as parent. */
  routesOf(service: string): readonly Route[];
  /** Those with that target, as `policyTargets` names it. */
  policiesAt(target: string): readonly AuthorizationPolicy[];
  service(key: string): Service | undefined;
  /** Whether the Service is attached to the waypoint too. */
  isAttached(service: string): boolean;
}

export function serviceScope(
  service: Service,
  waypoint: WaypointRef,
  lookups: ScopeLookups,
  mesh: MeshSettings,
): ServiceScope {
  const key = objectKey(namespaceOf(service), nameOf(service));
  const namespaces = unique([waypoint.namespace, namespaceOf(service)]);
  const routes = lookups
    .routesOf(key)
    .filter((route) => namespaces.includes(namespaceOf(route)))
    .toSorted(inOrderOf(namespaces));
  const policies = policiesAt([...waypointTargets(waypoint), `Service/${key}`], lookups).toSorted(
    inOrderOf(unique([...namespaces, mesh.rootNamespace])),
  );
  return { mesh, waypoint, service, routes, policies, backends: backendsOf(routes, lookups) };
}

/** The policies that hold on every chain of a waypoint. */
export function waypointPolicies(
  waypoint: WaypointRef,
  lookups: Pick<ScopeLookups, 'policiesAt'>,
  { rootNamespace }: MeshSettings,
): readonly AuthorizationPolicy[] {
  const order = inOrderOf(unique([waypoint.namespace, rootNamespace]));
  return policiesAt(waypointTargets(waypoint), lookups).toSorted(order);
}

function policiesAt(
  targets: readonly string[],
  lookups: Pick<ScopeLookups, 'policiesAt'>,
): AuthorizationPolicy[] {
  return unique(targets.flatMap((target) => lookups.policiesAt(target)));
}

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}

interface NamedObject {
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** By namespace, in the order given; then HTTPRoutes before GRPCRoutes; then by name. */
function inOrderOf(namespaces: readonly string[]) {
  const rank = (object: NamedObject): string =>
    `${namespaces.indexOf(namespaceOf(object))}/${object.kind === 'GRPCRoute' ? 1 : 0}/${nameOf(object)}`;
  return (a: NamedObject, b: NamedObject): number => (rank(a) < rank(b) ? -1 : 1);
}

/** What a policy is attached to: `Service/<namespace>/<name>`, `Gateway/<namespace>/<name>`, `GatewayClass/<name>`. */
export function policyTargets(policy: AuthorizationPolicy, mesh: MeshSettings): string[] {
  const namespace = namespaceOf(policy);
  return targetsOf(policy).flatMap(({ kind, name }) => {
    if (kind === 'Service' || kind === 'Gateway') return [`${kind}/${objectKey(namespace, name)}`];
    return kind === 'GatewayClass' && namespace === mesh.rootNamespace ? [`${kind}/${name}`] : [];
  });
}

/** What a policy must be attached to, to hold on every chain of the waypoint. */
function waypointTargets({ namespace, name, className }: WaypointRef): readonly string[] {
  return [`Gateway/${objectKey(namespace, name)}`, `GatewayClass/${className}`];
}

export function parentKey(parent: ParentReference, route: Route): string {
  return objectKey(parent.namespace ?? namespaceOf(route), parent.name);
}

function targetsOf(policy: AuthorizationPolicy): readonly TargetRef[] {
  const { targetRef, targetRefs = [] } = policy.spec ?? {};
  return targetRef === undefined ? targetRefs : [targetRef, ...targetRefs];
}

function backendsOf(
  routes: readonly Route[],
  { service: find, isAttached }: ScopeLookups,
): ReadonlyMap<string, BackendService> {
  const found = new Map<string, BackendService>();
  for (const route of routes) {
    for (const { namespace = namespaceOf(route), name } of backendRefs(routeRules(route))) {
      const key = objectKey(namespace, name);
      const service = find(key);
      if (service === undefined) continue;
      found.set(key, { service, isReachedInbound: isAttached(key) && !isHeadless(service) });
    }
  }
  return found;
}

function backendRefs(rules: readonly RouteRule[]) {
  const all = rules.flatMap(({ backends, filters }) => [
    ...backends,
    ...filters.flatMap(({ requestMirror }) => requestMirror?.backendRef ?? []),
  ]);
  return all.filter(({ group = '', kind = 'Service' }) => group === '' && kind === 'Service');
}
