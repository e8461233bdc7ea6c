/** Kubernetes Service to WDS Service (spec control-plane 2.5), and its WaypointBound condition (2.8). */
import type {
  LoadBalancing,
  RoutingScope,
  ServiceAddress,
  WeightedWaypoint,
  Service as WorkloadService,
} from '@aquifer/model';
import { canonicalIpAddress } from '@aquifer/model';
import type { Namespace, Service } from '@aquifer/model/resources';
import { MANAGED_LABEL } from '../ingest/kinds.ts';
import { bindCanary } from './canary.ts';
import {
  INGRESS_USE_WAYPOINT_LABEL,
  MANAGED_WAYPOINTS,
  TRAFFIC_DISTRIBUTION_ANNOTATION,
} from './labels.ts';
import { type MeshSettings, serviceHostname } from './mesh.ts';
import { annotationsOf, labelsOf, nameOf, namespaceOf, parseGoBool } from './object.ts';
import { servicePorts } from './ports.ts';
import { type Binding, bindWaypoint, type Waypoint, type Waypoints } from './waypoints.ts';

/** Condition `istio.io/WaypointBound`. */
export interface BoundCondition {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

/** A Service as the mesh sees it; `condition` is null when no waypoint was asked for. */
export interface DerivedService {
  readonly service: WorkloadService;
  readonly condition: BoundCondition | null;
  /** The bound waypoint, and then its canary: those that must know the Service. */
  readonly waypoints: readonly Waypoint[];
}

/** What a Service is derived from besides itself. */
export interface ServiceContext {
  readonly mesh: MeshSettings;
  readonly network: string;
  readonly namespace: Namespace | undefined;
  readonly waypoints: Waypoints;
}

/** Null for ExternalName, which has neither addresses nor endpoints. */
export function deriveService(service: Service, context: ServiceContext): DerivedService | null {
  if (service.spec?.type === 'ExternalName') return null;
  const { mesh, network, namespace } = context;
  const binding = bindService(service, context);
  const bound =
    binding.kind === 'bound' ? boundFields(service, binding.waypoint, context) : UNBOUND;
  return {
    service: {
      name: nameOf(service),
      namespace: namespaceOf(service),
      hostname: serviceHostname(mesh, namespaceOf(service), nameOf(service)),
      addresses: virtualAddresses(service, network),
      ports: servicePorts(service),
      subjectAltNames: [],
      waypoint: bound.waypoint?.address ?? null,
      weightedWaypoints: bound.weightedWaypoints,
      loadBalancing: loadBalancing(service, namespace),
      ipFamilies: ipFamilies(service),
      canonical: true,
      ingressUseWaypoint: bound.ingress === true,
      visibility: 'public',
    },
    condition: boundCondition(binding, bound),
    waypoints: [bound.waypoint, bound.canary].filter((waypoint) => waypoint !== null),
  };
}

/** The waypoint that a Service is bound to; waypoints' own Services never are. */
export function bindService(
  service: Service,
  { namespace, waypoints }: Pick<ServiceContext, 'namespace' | 'waypoints'>,
): Binding {
  const managed = labelsOf(service)[MANAGED_LABEL];
  if (managed !== undefined && MANAGED_WAYPOINTS.includes(managed)) return { kind: 'none' };
  return bindWaypoint(service, namespace, 'service', waypoints);
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
  service: Service,
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

function boundCondition(binding: Binding, bound: BoundFields): BoundCondition | null {
  if (binding.kind === 'none') return null;
  if (binding.kind === 'error') return { status: 'False', ...binding.error };
  const { namespace, name } = binding.waypoint;
  let message = `Successfully attached to waypoint ${namespace}/${name}`;
  if (bound.ingress === true) message += '. Ingress traffic will traverse the waypoint';
  if (bound.ingress === false) {
    message +=
      '. Ingress traffic is not using the waypoint, set the istio.io/ingress-use-waypoint label to true if desired.';
  }
  if (bound.canaryProblem !== null) {
    message += `. Canary waypoint not attached: ${bound.canaryProblem}`;
  }
  return { status: 'True', reason: 'WaypointAccepted', message };
}

/** The cluster addresses of a Service; none for a headless one. */
export function virtualAddresses(service: Service, network: string): ServiceAddress[] {
  const { clusterIP, clusterIPs } = service.spec ?? {};
  const texts = clusterIPs !== undefined && clusterIPs.length > 0 ? clusterIPs : [clusterIP ?? ''];
  return texts
    .map(canonicalIpAddress)
    .filter((address) => address !== null)
    .map((address) => ({ network, address, prefixLength: null }));
}

const NEAR_ZONE: readonly RoutingScope[] = ['network', 'region', 'zone'];
const NEAR_NODE: readonly RoutingScope[] = [...NEAR_ZONE, 'subzone', 'node'];
const DISTRIBUTIONS: ReadonlyMap<string, readonly RoutingScope[]> = new Map([
  ['preferclose', NEAR_ZONE],
  ['prefersamezone', NEAR_ZONE],
  ['prefersamenode', NEAR_NODE],
]);

function loadBalancing(service: Service, namespace: Namespace | undefined): LoadBalancing | null {
  const healthPolicy =
    service.spec?.publishNotReadyAddresses === true ? 'allow-all' : 'only-healthy';
  if (service.spec?.internalTrafficPolicy === 'Local') {
    return { mode: 'strict', routingPreference: ['node'], healthPolicy };
  }
  // An empty annotation on the Service does not hide the namespace's; an unknown word does.
  const distribution =
    service.spec?.trafficDistribution ||
    annotationsOf(service)[TRAFFIC_DISTRIBUTION_ANNOTATION] ||
    annotationsOf(namespace)[TRAFFIC_DISTRIBUTION_ANNOTATION] ||
    '';
  const routingPreference = DISTRIBUTIONS.get(distribution.toLowerCase());
  if (routingPreference !== undefined) return { mode: 'failover', routingPreference, healthPolicy };
  if (healthPolicy === 'only-healthy') return null;
  return { mode: 'standard', routingPreference: [], healthPolicy };
}

function ipFamilies(service: Service): WorkloadService['ipFamilies'] {
  const families = service.spec?.ipFamilies ?? [];
  if (families.length > 1) return 'dual';
  if (families[0] === 'IPv4') return 'ipv4-only';
  return families[0] === 'IPv6' ? 'ipv6-only' : 'automatic';
}
