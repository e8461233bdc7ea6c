/** What one waypoint serves: the Services bound to it, the routes and policies of those, and the backends of the routes. */
import type {
  AuthorizationPolicy,
  Gateway,
  Namespace,
  ParentReference,
  Service,
} from '@aquifer/model/resources';
import type { ClusterState } from '../../ingest/cluster-state.ts';
import { bindCanary } from '../canary.ts';
import { WAYPOINT_CONTROLLER } from '../labels.ts';
import { type MeshSettings, serviceHostname } from '../mesh.ts';
import { nameOf, namespaceOf } from '../object.ts';
import { bindService } from '../services.ts';
import { addressKey, type Waypoint, type Waypoints } from '../waypoints.ts';
import { parentsOf, type Route, type RouteRule, routeRules } from './route-rule.ts';

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

export function objectKey(namespace: string, name: string): string {
  return `${namespace}/${name}`;
}

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

/** Gateways whose class is a waypoint's. */
export function waypointGateways(state: Pick<ClusterState, 'Gateway' | 'GatewayClass'>): Gateway[] {
  return [...state.Gateway].filter(({ spec }) => {
    const gatewayClass = state.GatewayClass.get('', spec.gatewayClassName);
    return gatewayClass?.spec.controllerName === WAYPOINT_CONTROLLER;
  });
}

/** Services by the `namespace/name` of every waypoint that must know them: the bound one, and its canary. */
export function servicesByWaypoint(
  state: Pick<ClusterState, 'Service' | 'Namespace'>,
  waypoints: Waypoints,
  mesh: MeshSettings,
): ReadonlyMap<string, readonly Service[]> {
  const found = new Map<string, Service[]>();
  for (const service of state.Service) {
    if (service.spec?.type === 'ExternalName') continue;
    const namespace = state.Namespace.get('', namespaceOf(service));
    for (const waypoint of waypointsOf(service, namespace, waypoints)) {
      const key = objectKey(waypoint.namespace, waypoint.name);
      const list = found.get(key) ?? [];
      if (list.push(service) === 1) found.set(key, list);
    }
  }
  const hostname = (service: Service): string => refToService(service, mesh).hostname;
  for (const list of found.values()) list.sort((a, b) => (hostname(a) < hostname(b) ? -1 : 1));
  return found;
}

function waypointsOf(
  service: Service,
  namespace: Namespace | undefined,
  waypoints: Waypoints,
): Waypoint[] {
  const binding = bindService(service, { namespace, waypoints });
  if (binding.kind !== 'bound') return [];
  const canary = bindCanary(service, namespace, binding.waypoint, waypoints);
  if (canary.kind !== 'bound') return [binding.waypoint];
  const keys = canary.weightedWaypoints.map(({ destination }) => addressKey(destination));
  return [...waypoints.values()].filter(
    ({ address }) => address !== null && keys.includes(addressKey(address)),
  );
}

export function waypointScope(
  gateway: Gateway,
  attached: readonly Service[],
  state: ClusterState,
  mesh: MeshSettings,
): WaypointScope {
  const keys = new Set(attached.map((service) => objectKey(namespaceOf(service), nameOf(service))));
  const namespaces = new Set([namespaceOf(gateway), ...attached.map(namespaceOf)]);
  const routes = [...namespaces]
    .flatMap((namespace): readonly Route[] => [
      ...state.HTTPRoute.inNamespace(namespace),
      ...state.GRPCRoute.inNamespace(namespace),
    ])
    .filter((route) => parentsOf(route).some((parent) => keys.has(parentKey(parent, route))));
  const policies = [...namespaces.add(mesh.rootNamespace)]
    .flatMap((namespace) => state.AuthorizationPolicy.inNamespace(namespace))
    .filter((policy) => targetsWaypoint(policy, gateway, mesh) || targetsAny(policy, keys));
  return { mesh, gateway, attached, routes, policies, backends: backendsOf(routes, state) };
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
  const namespace = namespaceOf(policy);
  return targetsOf(policy).some(({ kind, name }) => {
    if (kind === 'Gateway') return namespace === namespaceOf(gateway) && name === nameOf(gateway);
    const isClass = kind === 'GatewayClass' && name === gateway.spec.gatewayClassName;
    return isClass && namespace === mesh.rootNamespace;
  });
}

/** Whether a policy is attached to the Service, which must be in its own namespace. */
export function targetsService(policy: AuthorizationPolicy, service: MeshServiceRef): boolean {
  return targetsAny(policy, new Set([objectKey(service.namespace, service.name)]));
}

function targetsAny(policy: AuthorizationPolicy, keys: ReadonlySet<string>): boolean {
  const namespace = namespaceOf(policy);
  return targetsOf(policy).some(
    ({ kind, name }) => kind === 'Service' && keys.has(objectKey(namespace, name)),
  );
}

function targetsOf(policy: AuthorizationPolicy): readonly TargetRef[] {
  const { targetRef, targetRefs = [] } = policy.spec ?? {};
  return targetRef === undefined ? targetRefs : [targetRef, ...targetRefs];
}

function backendsOf(
  routes: readonly Route[],
  state: Pick<ClusterState, 'Service'>,
): ReadonlyMap<string, Service> {
  const found = new Map<string, Service>();
  for (const route of routes) {
    for (const { namespace = namespaceOf(route), name } of backendRefs(routeRules(route))) {
      const service = state.Service.get(namespace, name);
      if (service !== undefined) found.set(objectKey(namespace, name), service);
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
