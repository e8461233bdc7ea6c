/** What one waypoint serves: the Services bound to it, the routes and policies of those, and the backends of the routes. */
import type {
  AuthorizationPolicy,
  Gateway,
  ObjectMeta,
  ParentReference,
  Service,
} from '@aquifer/model/resources';
import { objectKey } from '../../ingest/cluster-inputs.ts';
import { type MeshSettings, serviceHostname } from '../mesh.ts';
import { nameOf, namespaceOf } from '../object.ts';
import { type Route, type RouteRule, routeRules } from './route-rule.ts';

/** A Service as configuration names it. */
export interface MeshServiceRef {
  readonly namespace: string;
  readonly name: string;
  readonly hostname: string;
}

/** Everything that the listeners and clusters of one waypoint are made of; endpoints come later. */
export interface WaypointScope {
  readonly mesh: MeshSettings;
  readonly gateway: Gateway;
  /** Sorted by hostname. */
  readonly attached: readonly Service[];
  /** Those with an attached Service as parent. */
  readonly routes: readonly Route[];
  /** AuthorizationPolicies with a target here. */
  readonly policies: readonly AuthorizationPolicy[];
  /** Services that the routes name as backends, by `namespace/name`; those that exist. */
  readonly backends: ReadonlyMap<string, Service>;
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

/** Whether the Service's own chains and clusters can take what a route sends to it. */
export function isReachedInbound(service: Service, { attached }: WaypointScope): boolean {
  return attached.includes(service) && !isHeadless(service);
}

/** How the objects that belong to a waypoint are found. */
export interface ScopeLookups {
  /** Those with the Service (`namespace/name`) as parent. */
  routesOf(service: string): readonly Route[];
  /** Those with that target, as `policyTargets` names it. */
  policiesAt(target: string): readonly AuthorizationPolicy[];
  service(key: string): Service | undefined;
}

/** `attached` are the Services that are bound to the waypoint, or have it as canary; ExternalNames are not among them. */
export function waypointScope(
  gateway: Gateway,
  attached: readonly Service[],
  lookups: ScopeLookups,
  mesh: MeshSettings,
): WaypointScope {
  const sorted = attached.toSorted((a, b) => (hostname(a, mesh) < hostname(b, mesh) ? -1 : 1));
  const keys = sorted.map((service) => objectKey(namespaceOf(service), nameOf(service)));
  const namespaces = new Set([namespaceOf(gateway), ...sorted.map(namespaceOf)]);
  const routes = unique(keys.flatMap((key) => lookups.routesOf(key)))
    .filter((route) => namespaces.has(namespaceOf(route)))
    .toSorted(inOrderOf(namespaces));
  const targets = [...waypointTargets(gateway), ...keys.map((key) => `Service/${key}`)];
  const policies = unique(targets.flatMap((target) => lookups.policiesAt(target))).toSorted(
    inOrderOf(namespaces.add(mesh.rootNamespace)),
  );
  const backends = backendsOf(routes, lookups);
  return { mesh, gateway, attached: sorted, routes, policies, backends };
}

function hostname(service: Service, mesh: MeshSettings): string {
  return refToService(service, mesh).hostname;
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
    if (kind === 'Service' || kind === 'Gateway') return [`${kind}/${objectKey(namespace, name)}`];
    return kind === 'GatewayClass' && namespace === mesh.rootNamespace ? [`${kind}/${name}`] : [];
  });
}

/** What a policy must be attached to, to hold on every chain of the waypoint. */
function waypointTargets(gateway: Gateway): readonly string[] {
  const own = objectKey(namespaceOf(gateway), nameOf(gateway));
  return [`Gateway/${own}`, `GatewayClass/${gateway.spec.gatewayClassName}`];
}

export function parentKey(parent: ParentReference, route: Route): string {
  return objectKey(parent.namespace ?? namespaceOf(route), parent.name);
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

/** Whether a policy is attached to the Service, which must be in its own namespace. */
export function targetsService(
  policy: AuthorizationPolicy,
  { namespace, name }: MeshServiceRef,
  mesh: MeshSettings,
): boolean {
  return policyTargets(policy, mesh).includes(`Service/${objectKey(namespace, name)}`);
}

function targetsOf(policy: AuthorizationPolicy): readonly TargetRef[] {
  const { targetRef, targetRefs = [] } = policy.spec ?? {};
  return targetRef === undefined ? targetRefs : [targetRef, ...targetRefs];
}

function backendsOf(
  routes: readonly Route[],
  { service: find }: ScopeLookups,
): ReadonlyMap<string, Service> {
  const found = new Map<string, Service>();
  for (const route of routes) {
    for (const { namespace = namespaceOf(route), name } of backendRefs(routeRules(route))) {
      const key = objectKey(namespace, name);
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
