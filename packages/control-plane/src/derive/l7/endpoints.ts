/** Endpoints of a waypoint's clusters (spec control-plane 6.1, EDS; recordings l7/01, 29). */

import type { Locality, Workload } from '@aquifer/model';
import { formatSocketAddress } from '@aquifer/wire';
import { HealthStatus } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
  type LbEndpointSchema,
  type LocalityLbEndpointsSchema,
} from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { create, type JsonObject, toBinary } from '@bufbuild/protobuf';
import type { MeshService } from '../mesh-service.ts';
import { refTo } from '../object.ts';
import { type Resource, resource, type WorkloadResource } from '../resource.ts';
import type { Subset } from '../traffic/traffic-policy.ts';
import { canonicalName, canonicalRevision } from '../workloads.ts';
import { CONNECT_ORIGINATE, ENCAP, ORIGINAL_DST_KEY } from './names.ts';
import type { Init } from './packed.ts';

type LbEndpoint = Init<typeof LbEndpointSchema>;
type LocalityInit = Init<typeof LocalityLbEndpointsSchema>;

/**
 * How a cluster picks the transport of an endpoint: always the tunnel, of its own accord (`internal`); the tunnel or
 * plaintext, by the endpoint's metadata (`hbone`); and the mutual TLS of sidecars besides (`hbone-and-mtls`). Or the cluster
 * knows one, and the endpoint is where its address says (`direct`).
 */
export type Transports = 'internal' | 'hbone' | 'hbone-and-mtls' | 'direct';

/** A port of a Service, and the cluster that is made of it. */
interface Assignment {
  readonly clusterName: string;
  /** `namespace/hostname`. */
  readonly serviceKey: string;
  readonly servicePort: number;
  readonly transports: Transports;
  /** Where tunnels lead, if the workloads are those of a waypoint that stands before it. */
  readonly through?: string;
}

/** A cluster whose endpoints are the workloads of a service. */
export type ServiceAssignment = Assignment & {
  readonly service: MeshService;
  /** Of the subset whose endpoints they are; empty for all. */
  readonly labels: Subset['labels'];
};

/** Workloads of one place that are used together. */
export interface LocalityGroup {
  readonly locality: Locality;
  readonly workloads: readonly WorkloadResource[];
  readonly weight: number;
  /** 0 is used first. */
  readonly priority: number;
}

/** Says which groups are used before others, and how much. */
export type Arrange = (groups: readonly LocalityGroup[]) => readonly LocalityGroup[];

const AS_THEY_ARE: Arrange = (groups) => groups;

export function assignmentResource(
  assignment: ServiceAssignment,
  workloads: readonly WorkloadResource[],
  arrange: Arrange = AS_THEY_ARE,
): Resource<null> {
  const message = clusterLoadAssignment(assignment, workloads, arrange);
  const ofWorkloads = workloads.flatMap(({ sources: [first] }) => first ?? []);
  const bytes = toBinary(ClusterLoadAssignmentSchema, message);
  return resource(message.clusterName, null, bytes, [refTo(assignment.service), ...ofWorkloads]);
}

/** All workloads behind the port by locality, those that are not ready as UNHEALTHY. */
export function clusterLoadAssignment(
  assignment: Assignment,
  workloads: readonly WorkloadResource[],
  arrange: Arrange = AS_THEY_ARE,
): ClusterLoadAssignment {
  const groups = new Map<string, WorkloadResource[]>();
  for (const resource of workloads) {
    if (targetPort(resource.value, assignment) === undefined) continue;
    const { region, zone, subzone } = resource.value.locality ?? NOWHERE;
    const key = `${region}/${zone}/${subzone}`;
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [resource]);
    else group.push(resource);
  }
  const keys = [...groups.keys()].toSorted();
  return create(ClusterLoadAssignmentSchema, {
    clusterName: assignment.clusterName,
    endpoints: arrange(keys.map((key) => groupOf(groups.get(key)!))).map((group) =>
      localityEndpoints(group, assignment),
    ),
  });
}

const NOWHERE: Locality = { region: '', zone: '', subzone: '' };

/** Of workloads of one place, before any other. */
function groupOf(workloads: readonly WorkloadResource[]): LocalityGroup {
  return {
    locality: workloads[0]?.value.locality ?? NOWHERE,
    workloads,
    weight: weightOf(workloads),
    priority: 0,
  };
}

export function weightOf(workloads: readonly WorkloadResource[]): number {
  return workloads.reduce((sum, { value }) => sum + value.capacity, 0);
}

function localityEndpoints(
  { locality, workloads, weight, priority }: LocalityGroup,
  assignment: Assignment,
): LocalityInit {
  const { region, zone, subzone } = locality;
  return {
    locality: { region, zone, subZone: subzone },
    lbEndpoints: workloads.map((workload) => lbEndpoint(workload, assignment)),
    loadBalancingWeight: weight,
    priority,
  };
}

/** Undefined for ports that this workload does not serve. */
function targetPort(workload: Workload, assignment: Assignment): number | undefined {
  const ports = workload.services.get(assignment.serviceKey) ?? [];
  return ports.find(({ servicePort }) => servicePort === assignment.servicePort)?.targetPort;
}

/**
 * `encap`: the workloads that are bound to the waypoint themselves, at each of their addresses and whatever the port. A
 * real Envoy never asks for it, since its cluster tunnels to everyone.
 */
export function boundWorkloads(workloads: readonly WorkloadResource[]): ClusterLoadAssignment {
  const lbEndpoints = workloads.flatMap((workload) =>
    workload.value.addresses.map((host) =>
      endpointAt(workload, { host, port: 0, transports: 'internal' }),
    ),
  );
  return create(ClusterLoadAssignmentSchema, { clusterName: ENCAP, endpoints: [{ lbEndpoints }] });
}

function lbEndpoint(workload: WorkloadResource, assignment: Assignment): LbEndpoint {
  const { addresses, hostname } = workload.value;
  // Names are for the proxy to look up.
  const [host = hostname, ...further] = addresses;
  const port = targetPort(workload.value, assignment) ?? 0;
  const { transports, through } = assignment;
  return endpointAt(workload, { host, further, port, transports, through });
}

interface Place {
  /** An address, or a name for DNS. */
  readonly host: string;
  /** Of another family, where the workload is reached without a tunnel. */
  readonly further?: readonly string[];
  readonly port: number;
  readonly transports: Transports;
  readonly through?: string | undefined;
}

function endpointAt(resource: WorkloadResource, place: Place): LbEndpoint {
  const { host, further = [], port, transports, through } = place;
  const transport = through === undefined ? transportOf(resource, transports) : 'hbone';
  const isTunnelled = transport === 'hbone';
  const target = formatSocketAddress({ ip: host, port });
  const metadata: Record<string, JsonObject> = {
    istio: { workload: describe(resource) },
    ...(isTunnelled && {
      [ORIGINAL_DST_KEY]:
        through === undefined ? { local: target } : { local: through, waypoint: target },
    }),
    ...socketMatch(transport, transports),
  };
  const address = isTunnelled ? tunnelTo(target) : socketAddress(host, port);
  const additionalAddresses = (isTunnelled ? [] : further).map((other) => ({
    address: { address: socketAddress(other, port) },
  }));
  return {
    hostIdentifier: { case: 'endpoint', value: { address: { address }, additionalAddresses } },
    healthStatus: healthOf(resource),
    loadBalancingWeight: resource.value.capacity,
    metadata: { filterMetadata: metadata },
  };
}

type Transport = 'hbone' | 'mtls' | 'plain';

/** A sidecar in front of a workload takes mutual TLS, and no tunnel. */
function transportOf({ value, traits }: WorkloadResource, transports: Transports): Transport {
  if (transports === 'direct') return 'plain';
  if (transports === 'hbone-and-mtls' && traits.tlsMode === 'istio') return 'mtls';
  return value.protocol === 'hbone' ? 'hbone' : 'plain';
}

function socketMatch(transport: Transport, transports: Transports): Record<string, JsonObject> {
  if (transport === 'plain' || transports === 'internal') return {};
  const match = transport === 'hbone' ? { tunnel: 'http' } : { tlsMode: 'istio' };
  return { 'envoy.transport_socket_match': match };
}

function tunnelTo(endpointId: string) {
  const listener = { case: 'serverListenerName' as const, value: CONNECT_ORIGINATE };
  return {
    case: 'envoyInternalAddress' as const,
    value: { addressNameSpecifier: listener, endpointId },
  };
}

/** Of endpoints of ServiceEntries and of WorkloadEntries nobody says that they are well. */
function healthOf({ value, sources }: WorkloadResource): HealthStatus {
  if (value.status !== 'healthy') return HealthStatus.UNHEALTHY;
  const isEntry = sources[0]?.kind === 'ServiceEntry' || sources[0]?.kind === 'WorkloadEntry';
  return isEntry ? HealthStatus.UNKNOWN : HealthStatus.HEALTHY;
}

function socketAddress(address: string, port: number) {
  return {
    case: 'socketAddress' as const,
    value: { address, portSpecifier: { case: 'portValue' as const, value: port } },
  };
}

/** `<workload>;<namespace>;<canonical service>;<revision>;<cluster>`, which telemetry reads; `latest` is not said. */
function describe({ value, traits }: WorkloadResource): string {
  const { namespace, clusterId } = value;
  const { name, labels } = traits;
  const [workload, canonical, revision] =
    name === null
      ? [value.workloadName, value.canonicalName, value.canonicalRevision]
      : [name, canonicalName(labels) ?? name, canonicalRevision(labels) ?? ''];
  return [workload, namespace, canonical, revision === 'latest' ? '' : revision, clusterId].join(
    ';',
  );
}
