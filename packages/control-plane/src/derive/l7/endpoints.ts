/** Endpoints of a waypoint's clusters (spec control-plane 6.1, EDS; recordings l7/01, 29). */

import type { Locality, Workload } from '@aquifer/model';
import { formatSocketAddress } from '@aquifer/wire';
import { HealthStatus } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  type ClusterLoadAssignment,
  ClusterLoadAssignmentSchema,
  type LbEndpointSchema,
} from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { create, type JsonObject } from '@bufbuild/protobuf';
import { CONNECT_ORIGINATE, ENCAP, ORIGINAL_DST_KEY } from './names.ts';
import type { Init } from './packed.ts';

type LbEndpoint = Init<typeof LbEndpointSchema>;

/** A port of a Service, and the cluster that is made of it. */
export interface Assignment {
  readonly clusterName: string;
  /** `namespace/hostname`. */
  readonly serviceKey: string;
  readonly servicePort: number;
  /** Outbound clusters pick the tunnel by the endpoint's metadata; inbound ones always use the internal socket. */
  readonly direction: 'inbound' | 'outbound';
}

/** All workloads behind the port by locality, those that are not ready as UNHEALTHY. */
export function clusterLoadAssignment(
  assignment: Assignment,
  workloads: readonly Workload[],
): ClusterLoadAssignment {
  const groups = new Map<string, Workload[]>();
  for (const workload of workloads) {
    if (targetPort(workload, assignment) === undefined) continue;
    const { region = '', zone = '', subzone = '' } = workload.locality ?? {};
    const key = `${region}/${zone}/${subzone}`;
    groups.set(key, [...(groups.get(key) ?? []), workload]);
  }
  const keys = [...groups.keys()].toSorted();
  return create(ClusterLoadAssignmentSchema, {
    clusterName: assignment.clusterName,
    endpoints: keys.map((key) => localityEndpoints(groups.get(key) ?? [], assignment)),
  });
}

function localityEndpoints(workloads: readonly Workload[], assignment: Assignment) {
  const locality = workloads[0]?.locality ?? null;
  const lbEndpoints = workloads.map((workload) => lbEndpoint(workload, assignment));
  const loadBalancingWeight = workloads.reduce((sum, { capacity }) => sum + capacity, 0);
  const { region, zone, subzone } = locality ?? NOWHERE;
  return { lbEndpoints, loadBalancingWeight, locality: { region, zone, subZone: subzone } };
}

const NOWHERE: Locality = { region: '', zone: '', subzone: '' };

/** Undefined for ports that this workload does not serve. */
function targetPort(workload: Workload, assignment: Assignment): number | undefined {
  const ports = workload.services.get(assignment.serviceKey) ?? [];
  return ports.find(({ servicePort }) => servicePort === assignment.servicePort)?.targetPort;
}

/**
 * `encap`: the workloads that are bound to the waypoint themselves, at each of their addresses and whatever the port. A
 * real Envoy never asks for it, since its cluster tunnels to everyone.
 */
export function boundWorkloads(workloads: readonly Workload[]): ClusterLoadAssignment {
  const lbEndpoints = workloads.flatMap((workload) =>
    workload.addresses.map((address) =>
      endpointAt(workload, { address, port: 0, direction: 'inbound' }),
    ),
  );
  return create(ClusterLoadAssignmentSchema, { clusterName: ENCAP, endpoints: [{ lbEndpoints }] });
}

function lbEndpoint(workload: Workload, assignment: Assignment): LbEndpoint {
  // Names are for the proxy to look up.
  const [address = workload.hostname, ...further] = workload.addresses;
  const port = targetPort(workload, assignment) ?? 0;
  const { direction } = assignment;
  return endpointAt(workload, { address, further, port, direction });
}

interface Place {
  readonly address: string;
  /** Of another family, where the workload is reached without a tunnel. */
  readonly further?: readonly string[];
  readonly port: number;
  readonly direction: Assignment['direction'];
}

function endpointAt(workload: Workload, place: Place): LbEndpoint {
  const { address, further = [], port, direction } = place;
  const target = formatSocketAddress({ ip: address, port });
  const isTunnelled = workload.protocol === 'hbone';
  const envoyAddress = isTunnelled
    ? {
        case: 'envoyInternalAddress' as const,
        value: {
          addressNameSpecifier: { case: 'serverListenerName' as const, value: CONNECT_ORIGINATE },
          endpointId: target,
        },
      }
    : socketAddress(address, port);
  const metadata: Record<string, JsonObject> = { istio: { workload: describe(workload) } };
  if (isTunnelled) metadata[ORIGINAL_DST_KEY] = { local: target };
  if (isTunnelled && direction === 'outbound') {
    metadata['envoy.transport_socket_match'] = { tunnel: 'http' };
  }
  const additionalAddresses = (isTunnelled ? [] : further).map((other) => ({
    address: { address: socketAddress(other, port) },
  }));
  return {
    hostIdentifier: {
      case: 'endpoint',
      value: { address: { address: envoyAddress }, additionalAddresses },
    },
    healthStatus: healthOf(workload),
    loadBalancingWeight: workload.capacity,
    metadata: { filterMetadata: metadata },
  };
}

/** As recorded, nothing is said of the health of what Kubernetes does not run. */
function healthOf({ uid, status }: Workload): HealthStatus {
  if (status === 'unhealthy') return HealthStatus.UNHEALTHY;
  return uid.includes('/networking.istio.io/') ? HealthStatus.UNKNOWN : HealthStatus.HEALTHY;
}

function socketAddress(address: string, port: number) {
  return {
    case: 'socketAddress' as const,
    value: { address, portSpecifier: { case: 'portValue' as const, value: port } },
  };
}

/** `<workload>;<namespace>;<canonical service>;<revision>;<cluster>`, which telemetry reads; `latest` is not said. */
function describe(workload: Workload): string {
  const { workloadName, namespace, canonicalName, canonicalRevision, clusterId } = workload;
  const revision = canonicalRevision === 'latest' ? '' : canonicalRevision;
  return [workloadName, namespace, canonicalName, revision, clusterId].join(';');
}
