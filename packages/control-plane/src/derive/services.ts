/** Services of the mesh to WDS Services (spec control-plane 2.5), and their WaypointBound condition (2.8). */
import type {
  LoadBalancing,
  RoutingScope,
  WeightedWaypoint,
  Service as WorkloadService,
} from '@aquifer/model';
import type { Namespace } from '@aquifer/model/resources';
import { MANAGED_LABEL } from '../ingest/kinds.ts';
import { bindCanary } from './canary.ts';
import {
  INGRESS_USE_WAYPOINT_LABEL,
  MANAGED_WAYPOINTS,
  TRAFFIC_DISTRIBUTION_ANNOTATION,
} from './labels.ts';
import type { MeshService } from './mesh-service.ts';
import { annotationsOf, labelsOf, nameOf, namespaceOf, parseGoBool } from './object.ts';
import { servicePorts } from './ports.ts';
import {
  type Binding,
  type BoundCondition,
  bindWaypoint,
  boundCondition,
  type Waypoint,
  type Waypoints,
} from './waypoints.ts';

/** A service as node proxies are told of it; `condition` is null when no waypoint was asked for. */
export interface DerivedService {
  readonly service: WorkloadService;
  readonly condition: BoundCondition | null;
  /** The bound waypoint, and then its canary: those that must know the service. */
  readonly waypoints: readonly Waypoint[];
}

/** What it is derived from besides the service itself. */
export interface ServiceContext {
  readonly network: string;
  readonly namespace: Namespace | undefined;
  readonly waypoints: Waypoints;
  /** Whether it is the one that its hostname means in namespaces that have none of that name. */
  readonly isCanonical: boolean;
}

/** Null for an alias, which has neither addresses nor endpoints. */
export function deriveService(
  service: MeshService,
  context: ServiceContext,
): DerivedService | null {
  if (service.resolution === 'alias') return null;
  const { network, namespace, isCanonical } = context;
  const binding = bindService(service, context);
  const bound =
    binding.kind === 'bound' ? boundFields(service, binding.waypoint, context) : UNBOUND;
  return {
    service: {
      name: nameOf(service),
      namespace: namespaceOf(service),
      hostname: service.hostname,
      addresses: service.addresses.map((address) => ({ network, ...address })),
      ports: servicePorts(service.ports),
      subjectAltNames: service.subjectAltNames,
      waypoint: bound.waypoint?.address ?? null,
      weightedWaypoints: bound.weightedWaypoints,
      loadBalancing: loadBalancing(service, namespace),
      ipFamilies: service.ipFamilies,
      canonical: isCanonical,
      ingressUseWaypoint: bound.ingress === true,
      visibility: service.visibility,
    },
    condition: boundCondition(binding, moreOf(bound)),
    waypoints: [bound.waypoint, bound.canary].filter((waypoint) => waypoint !== null),
  };
}

/** The waypoint that a service is bound to; those of waypoints themselves never are. */
function bindService(
  service: MeshService,
  { namespace, waypoints }: Pick<ServiceContext, 'namespace' | 'waypoints'>,
): Binding {
  const managed = labelsOf(service)[MANAGED_LABEL];
  if (managed !== undefined && MANAGED_WAYPOINTS.includes(managed)) return { kind: 'none' };
  const binding = bindWaypoint(service, namespace, 'service', waypoints);
  if (binding.kind !== 'bound' || service.visibility === 'public') return binding;
  return binding.waypoint.namespace === namespaceOf(service) ? binding : foreign(binding.waypoint);
}

/** Whoever could use that waypoint could look the service up by it. */
function foreign({ namespace, name }: Waypoint): Binding {
  const message = `cannot bind to waypoint "${namespace}/${name}" in another namespace: cross-namespace waypoint binding is not permitted for a ServiceEntry with NAMESPACE visibility`;
  return { kind: 'error', error: { reason: 'CrossNamespaceWaypointForbidden', message } };
}

interface BoundFields {
  readonly waypoint: Waypoint | null;
  readonly canary: Waypoint | null;
  /** Null when nobody asked; false also when the label cannot be read. */
  readonly ingress: boolean | null;
  readonly weightedWaypoints: readonly WeightedWaypoint[];
  readonly canaryProblem: string | null;
}

const UNBOUND: BoundFields = {
  waypoint: null,
  canary: null,
  ingress: null,
  weightedWaypoints: [],
  canaryProblem: null,
};

function boundFields(
  service: MeshService,
  waypoint: Waypoint,
  { namespace, waypoints }: ServiceContext,
): BoundFields {
  const canary = bindCanary(service, namespace, waypoint, waypoints);
  const label =
    labelsOf(service)[INGRESS_USE_WAYPOINT_LABEL] ??
    labelsOf(namespace)[INGRESS_USE_WAYPOINT_LABEL];
  return {
    waypoint,
    canary: canary.kind === 'bound' ? canary.canary : null,
    ingress: label === undefined ? null : parseGoBool(label) === true,
    weightedWaypoints: canary.kind === 'bound' ? canary.weightedWaypoints : [],
    canaryProblem: canary.kind === 'error' ? canary.message : null,
  };
}

/** What the condition says besides which waypoint it is. */
function moreOf({ ingress, canaryProblem }: BoundFields): string {
  const parts: string[] = [];
  if (ingress === true) parts.push('Ingress traffic will traverse the waypoint');
  if (ingress === false) {
    parts.push(
      'Ingress traffic is not using the waypoint, set the istio.io/ingress-use-waypoint label to true if desired.',
    );
  }
  if (canaryProblem !== null) parts.push(`Canary waypoint not attached: ${canaryProblem}`);
  return parts.map((part) => `. ${part}`).join('');
}

const NEAR_ZONE: readonly RoutingScope[] = ['network', 'region', 'zone'];
const NEAR_NODE: readonly RoutingScope[] = [...NEAR_ZONE, 'subzone', 'node'];
const DISTRIBUTIONS: ReadonlyMap<string, readonly RoutingScope[]> = new Map([
  ['preferclose', NEAR_ZONE],
  ['prefersamezone', NEAR_ZONE],
  ['prefersamenode', NEAR_NODE],
]);

function loadBalancing(
  service: MeshService,
  namespace: Namespace | undefined,
): LoadBalancing | null {
  const healthPolicy = service.includesNotReady ? 'allow-all' : 'only-healthy';
  if (service.resolution === 'none') {
    return { mode: 'passthrough', routingPreference: [], healthPolicy };
  }
  if (service.isNodeLocal) {
    return { mode: 'strict', routingPreference: ['node'], healthPolicy };
  }
  const distribution =
    service.trafficDistribution || annotationsOf(namespace)[TRAFFIC_DISTRIBUTION_ANNOTATION] || '';
  const routingPreference = DISTRIBUTIONS.get(distribution.toLowerCase());
  if (routingPreference !== undefined) return { mode: 'failover', routingPreference, healthPolicy };
  if (healthPolicy === 'only-healthy') return null;
  return { mode: 'standard', routingPreference: [], healthPolicy };
}
