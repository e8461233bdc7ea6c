/** What one waypoint serves: the services bound to it, the routes and policies of those, and the backends of the routes. */
import type {
  AuthorizationPolicy,
  Gateway,
  ObjectMeta,
  ParentReference,
} from '@aquifer/model/resources';
import { objectKey } from '../../ingest/cluster-inputs.ts';
import { type MeshSettings, serviceHostname } from '../mesh.ts';
import { type MeshService, meshServiceKey } from '../mesh-service.ts';
import { nameOf, namespaceOf } from '../object.ts';
import { sourceKey } from '../service-collections.ts';
import { type Route, type RouteRule, routeRules } from './route-rule.ts';

/** Everything that the listeners and clusters of one waypoint are made of; endpoints come later. */
export interface WaypointScope {
  readonly mesh: MeshSettings;
  readonly gateway: Gateway;
  /** Sorted by hostname. */
  readonly attached: readonly MeshService[];
  /** Those with an attached service as parent. */
  readonly routes: readonly Route[];
  /** AuthorizationPolicies with a target here. */
  readonly policies: readonly AuthorizationPolicy[];
  /** Those that the routes name as backends, by `meshServiceKey`; those that exist. */
  readonly backends: ReadonlyMap<string, MeshService>;
}

type TargetRef = NonNullable<NonNullable<AuthorizationPolicy['spec']>['targetRefs']>[number];

/** Whether clients address the pods behind the service themselves. */
export function isHeadless({ resolution }: MeshService): boolean {
  return resolution === 'headless';
}

/** Whether the service's own chains and clusters can take what a route sends to it. */
export function isReachedInbound(service: MeshService, { attached }: WaypointScope): boolean {
  return attached.includes(service) && !isHeadless(service);
}

/** How the objects that belong to a waypoint are found. */
export interface ScopeLookups {
  /** Those with that parent, as `parentKey` names it. */
  routesOf(parent: string): readonly Route[];
  /** Those with that target, as `policyTargets` names it. */
  policiesAt(target: string): readonly AuthorizationPolicy[];
  /** By `meshServiceKey`. */
  service(key: string): MeshService | undefined;
}

/** `attached` are the services that are bound to the waypoint, or have it as canary; aliases are not among them. */
export function waypointScope(
  gateway: Gateway,
  attached: readonly MeshService[],
  lookups: ScopeLookups,
  mesh: MeshSettings,
): WaypointScope {
  const sorted = attached.toSorted((a, b) => (a.hostname < b.hostname ? -1 : 1));
  const keys = sorted.map(sourceOf);
  const namespaces = new Set([namespaceOf(gateway), ...sorted.map(namespaceOf)]);
  const routes = unique(keys.flatMap((key) => lookups.routesOf(key)))
    .filter((route) => namespaces.has(namespaceOf(route)))
    .toSorted(inOrderOf(namespaces));
  const targets = [...waypointTargets(gateway), ...keys];
  const policies = unique(targets.flatMap((target) => lookups.policiesAt(target))).toSorted(
    inOrderOf(namespaces.add(mesh.rootNamespace)),
  );
  const backends = backendsOf(routes, lookups, mesh);
  return { mesh, gateway, attached: sorted, routes, policies, backends };
}

/** The object that it is made of, as parents and targets name it. */
export function sourceOf(service: MeshService): string {
  return sourceKey(service.kind, namespaceOf(service), nameOf(service));
}

function unique<T>(items: readonly T[]): T[] {
  return [...new Set(items)];
}

/** By namespace, in the order of the set; then HTTPRoutes before GRPCRoutes; then by name. */
function inOrderOf(namespaces: ReadonlySet<string>) {
  const order = [...namespaces];
  const rank = (object: { kind: string; metadata: ObjectMeta }): string => {
    const place = String(order.indexOf(namespaceOf(object))).padStart(6, '0');
    return `${place}/${object.kind === 'GRPCRoute' ? 1 : 0}/${nameOf(object)}`;
  };
  return (
    a: { kind: string; metadata: ObjectMeta },
    b: { kind: string; metadata: ObjectMeta },
  ): number => (rank(a) < rank(b) ? -1 : 1);
}

/** What a policy is attached to: `Service/<namespace>/<name>`, `Gateway/<namespace>/<name>`, `GatewayClass/<name>`. */
export function policyTargets(policy: AuthorizationPolicy, mesh: MeshSettings): string[] {
  const namespace = namespaceOf(policy);
  return targetsOf(policy).flatMap(({ kind, name }) => {
    if (kind === 'Service' || kind === 'Gateway') return [sourceKey(kind, namespace, name)];
    return kind === 'GatewayClass' && namespace === mesh.rootNamespace ? [`${kind}/${name}`] : [];
  });
}

/** What a policy must be attached to, to hold on every chain of the waypoint. */
function waypointTargets(gateway: Gateway): readonly string[] {
  const own = objectKey(namespaceOf(gateway), nameOf(gateway));
  return [`Gateway/${own}`, `GatewayClass/${gateway.spec.gatewayClassName}`];
}

/** The Service that a route has as parent. */
export function parentKey(parent: ParentReference, route: Route): string {
  return sourceKey('Service', parent.namespace ?? namespaceOf(route), parent.name);
}

/** Whether a policy is attached to the Gateway, or from the root namespace to its class: it then holds on every chain. */
export function targetsWaypoint(
  policy: AuthorizationPolicy,
  gateway: Gateway,
  mesh: MeshSettings,
): boolean {
  const targets = policyTargets(policy, mesh);
  return waypointTargets(gateway).some((target) => targets.includes(target));
}

/** Whether a policy is attached to the service, which must be in its own namespace. */
export function targetsService(
  policy: AuthorizationPolicy,
  service: MeshService,
  mesh: MeshSettings,
): boolean {
  return policyTargets(policy, mesh).includes(sourceOf(service));
}

function targetsOf(policy: AuthorizationPolicy): readonly TargetRef[] {
  const { targetRef, targetRefs = [] } = policy.spec ?? {};
  return targetRef === undefined ? targetRefs : [targetRef, ...targetRefs];
}

function backendsOf(
  routes: readonly Route[],
  { service: find }: ScopeLookups,
  mesh: MeshSettings,
): ReadonlyMap<string, MeshService> {
  const found = new Map<string, MeshService>();
  for (const route of routes) {
    for (const { namespace = namespaceOf(route), name } of backendRefs(routeRules(route))) {
      const key = meshServiceKey(mesh, namespace, serviceHostname(mesh, namespace, name));
      const service = find(key);
      if (service !== undefined) found.set(key, service);
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
