/** What a service at a waypoint is served with: its routes, the policies that hold there, and the backends of the routes. */
import type {
  AuthorizationPolicy,
  ObjectMeta,
  RequestAuthentication,
  VirtualService,
} from '@aquifer/model/resources';
import type { ObjectRef } from '../../ingest/kinds.ts';
import type { MeshSettings } from '../mesh.ts';
import { isHeadless, type MeshService, meshServiceKey } from '../mesh-service.ts';
import { byAge, nameOf, namespaceOf, refTo } from '../object.ts';
import type { FindVirtualService } from '../routing/delegates.ts';
import { isExportedTo } from '../routing/exports.ts';
import type { Route } from '../routing/gateway-route.ts';
import { hostsOverlap } from '../routing/hosts.ts';
import { type Destination, destinationsOf } from '../routing/route-rule.ts';
import { type TcpDestination, tcpDestinations } from '../routing/tcp-routes.ts';
import { hostsOf, isForMesh } from '../routing/virtual-service-index.ts';
import { sourceKey } from '../service-collections.ts';
import type { ProxyTelemetry } from '../telemetry/proxy-telemetry.ts';
import type { FoundTelemetry } from '../telemetry/telemetry-lookups.ts';
import type { DestinationPolicy } from '../traffic/traffic-policy.ts';
import type { Judges } from './authorization.ts';
import { l7Ports } from './port-protocol.ts';
import { type FindKeySet, tokenFilters } from './request-authentication.ts';
import { audienceAt, type RouteList, routeLists } from './route-lists.ts';
import { sourceOf, type WaypointRef } from './waypoint-ref.ts';

/** A service that routes name as backend. */
interface BackendService {
  readonly service: MeshService;
  /** Whether the service's own chains and clusters at this waypoint can take what a route sends to it. */
  readonly isReachedInbound: boolean;
  /** What DestinationRules say of it; null if nothing. */
  readonly traffic: DestinationPolicy | null;
}

/** Everything that the chains and clusters of one service at one waypoint are made of; endpoints come later. */
export interface ServiceScope {
  readonly mesh: MeshSettings;
  readonly waypoint: WaypointRef;
  readonly service: MeshService;
  /** What DestinationRules say of it; null if nothing. */
  readonly traffic: DestinationPolicy | null;
  /** Those with the service as parent, of its namespace and of the waypoint's. */
  readonly routes: readonly Route[];
  /** Those with a host that is the service's, of its namespace and of the waypoint's. */
  readonly virtualServices: readonly VirtualService[];
  /** The waypoint's own, and the service's. */
  readonly judges: Judges;
  /** The policies among them, the RequestAuthentications, and the Telemetries. */
  readonly judgeSources: readonly ObjectRef[];
  readonly telemetry: ProxyTelemetry;
  /** The rules of each port, by its number. */
  readonly lists: ReadonlyMap<number, readonly RouteList[]>;
  /** Where connections to each port go that are not read as HTTP, by its number; empty if nobody says so. */
  readonly tcp: ReadonlyMap<number, readonly TcpDestination[]>;
  /** Those that rules lead to, by `destinationKey`; those that exist. */
  readonly backends: ReadonlyMap<string, BackendService>;
}

/** What is attached to targets. */
export type Targeting = AuthorizationPolicy | RequestAuthentication;

type TargetRef = NonNullable<NonNullable<AuthorizationPolicy['spec']>['targetRefs']>[number];

/** How the objects that belong to a service at a waypoint are found. */
export interface ScopeLookups {
  /** Those with that parent, as `parentKey` names it. */
  routesOf(parent: string): readonly Route[];
  /** Those with that target, as `policyTargets` names it. */
  policiesAt(target: string): readonly AuthorizationPolicy[];
  authenticationsAt(target: string): readonly RequestAuthentication[];
  readonly findKeySet: FindKeySet;
  /** What the waypoint tells, by what it is attached to, from the widest to the narrowest. */
  telemetryOf(targets: readonly string[]): FoundTelemetry;
  serviceAt(destination: Destination): MeshService | undefined;
  /** Of that namespace, with such a host. */
  virtualServicesOf(namespace: string, hostname: string): readonly VirtualService[];
  /** And what TCPRoutes and TLSRoutes of that namespace become. */
  rawRoutesOf(namespace: string, hostname: string): readonly VirtualService[];
  virtualService: FindVirtualService;
  /** As the waypoint sees it. */
  trafficOf(service: MeshService): DestinationPolicy | null;
  /** Whether that service is attached to the waypoint too. */
  isAttached(key: string): boolean;
}

export function serviceScope(
  service: MeshService,
  waypoint: WaypointRef,
  lookups: ScopeLookups,
  mesh: MeshSettings,
): ServiceScope {
  const source = sourceOf(service);
  const namespaces = unique([waypoint.namespace, namespaceOf(service)]);
  const routes = lookups
    .routesOf(source)
    .filter((route) => namespaces.includes(namespaceOf(route)))
    .toSorted(inOrderOf(namespaces));
  const targets = [...waypointTargets(waypoint, mesh), source];
  const order = inOrderOf(unique([...namespaces, mesh.rootNamespace]));
  const virtualServices = virtualServicesOf(service, waypoint, lookups, mesh);
  const routed = { service, waypoint, routes, virtualServices };
  const lists = new Map(
    l7Ports(service.ports).map(({ port }) => [
      port,
      routeLists(port, routed, lookups.virtualService, mesh),
    ]),
  );
  const tcp = new Map(
    l7Ports(service.ports).map(({ port }) => {
      const names = { hostname: service.hostname, mesh };
      return [port, tcpDestinations(virtualServices, audienceAt(port, waypoint), names) ?? []];
    }),
  );
  const leads = [
    ...[...lists.values()].flat().flatMap(({ rules }) => rules.flatMap(destinationsOf)),
    ...[...tcp.values()].flat().map(({ destination }) => destination),
  ];
  return {
    mesh,
    ...routed,
    tcp,
    ...rulesAt(targets, order, lookups, mesh),
    lists,
    traffic: lookups.trafficOf(service),
    backends: backendsOf(leads, lookups, mesh),
  };
}

/** The oldest first. */
function virtualServicesOf(
  service: MeshService,
  { namespace }: WaypointRef,
  lookups: Pick<ScopeLookups, 'virtualServicesOf' | 'rawRoutesOf'>,
  mesh: MeshSettings,
): VirtualService[] {
  return unique([namespace, namespaceOf(service)])
    .flatMap((owner) => [
      ...lookups.virtualServicesOf(owner, service.hostname),
      ...lookups.rawRoutesOf(owner, service.hostname),
    ])
    .filter((found) => isForMesh(found) && isExportedTo(found, namespace))
    .filter((found) => hostsOf(found, mesh).some((host) => hostsOverlap(host, service.hostname)))
    .toSorted(byAge);
}

/** What a destination is looked up by: several may be one service. */
export function destinationKey({ namespace, host }: Destination): string {
  return `${namespace ?? ''}/${host}`;
}

type ChainLookups = Pick<
  ScopeLookups,
  'policiesAt' | 'authenticationsAt' | 'findKeySet' | 'telemetryOf'
>;

/** What holds on a chain, what it tells, and what both come from. */
export type ChainRules = Pick<ServiceScope, 'judges' | 'telemetry' | 'judgeSources'>;

/** What holds on every chain of a waypoint. */
export function waypointRules(
  waypoint: WaypointRef,
  lookups: ChainLookups,
  mesh: MeshSettings,
): ChainRules {
  const order = inOrderOf(unique([waypoint.namespace, mesh.rootNamespace]));
  return rulesAt(waypointTargets(waypoint, mesh), order, lookups, mesh);
}

function rulesAt(
  targets: readonly string[],
  order: (a: NamedObject, b: NamedObject) => number,
  lookups: ChainLookups,
  { extensionProviders }: MeshSettings,
): ChainRules {
  const { authenticationsAt, findKeySet, telemetryOf } = lookups;
  const policies = policiesAt(targets, lookups).toSorted(order);
  const authentications = unique(targets.flatMap(authenticationsAt)).toSorted(order);
  const tokens = tokenFilters(authentications, findKeySet);
  const { telemetry, telemetrySources } = telemetryOf(targets);
  return {
    judges: { policies, tokens, providers: extensionProviders, unaskableBytes: 'denied' },
    telemetry,
    judgeSources: [...[...policies, ...authentications].map(refTo), ...telemetrySources],
  };
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

/** What a policy is attached to: `<kind>/<namespace>/<name>`; also of a GatewayClass, which has no namespace, the policy's. */
export function policyTargets(policy: Targeting): string[] {
  return targetsOf(policy).map(({ kind, name }) => sourceKey(kind, namespaceOf(policy), name));
}

/**
 * What a policy must be attached to, to hold on every chain of the waypoint: to its class from the root namespace only. From the
 * widest to the narrowest.
 */
export function waypointTargets(
  { namespace, name, className }: WaypointRef,
  { rootNamespace }: MeshSettings,
): readonly string[] {
  return [
    sourceKey('GatewayClass', rootNamespace, className),
    sourceKey('Gateway', namespace, name),
  ];
}

function targetsOf(policy: Targeting): readonly TargetRef[] {
  const { targetRef, targetRefs = [] } = policy.spec ?? {};
  return targetRef === undefined ? targetRefs : [targetRef, ...targetRefs];
}

/** Those that exist of what the rules name. */
function backendsOf(
  destinations: readonly Destination[],
  lookups: Pick<ScopeLookups, 'serviceAt' | 'isAttached' | 'trafficOf'>,
  mesh: MeshSettings,
): ServiceScope['backends'] {
  const found = new Map<string, BackendService>();
  for (const destination of destinations) {
    const service = lookups.serviceAt(destination);
    if (service === undefined) continue;
    const key = meshServiceKey(mesh, namespaceOf(service), service.hostname);
    const isReachedInbound = lookups.isAttached(key) && !isHeadless(service);
    const traffic = lookups.trafficOf(service);
    found.set(destinationKey(destination), { service, isReachedInbound, traffic });
  }
  return found;
}
