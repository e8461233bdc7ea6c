import { formatSocketAddress } from '@aquifer/wire';
import type { JsonObject } from '@bufbuild/protobuf';
import type { ClusterStatus, HostStatus } from '../clusters/cluster-status.ts';
import type { HostAddress } from '../clusters/host.ts';

/** `/clusters?format=json`: envoy.admin.v3.Clusters, from which istioctl reads endpoints. */
export function clusterStatuses(statuses: readonly ClusterStatus[]): JsonObject {
  return {
    cluster_statuses: statuses.map(({ name, hosts }) => ({
      name,
      added_via_api: true,
      observability_name: name,
      host_statuses: hosts.map((host) => ({
        address: addressOf(host.address),
        stats: [{ name: 'rq_active', type: 'GAUGE', value: String(host.active) }],
        health_status: { eds_health_status: host.isHealthy ? 'HEALTHY' : 'UNHEALTHY' },
        weight: host.weight,
      })),
    })),
  };
}

/** Those that are reached through a tunnel are, in Envoy, behind a listener of its own. */
function addressOf({ kind, ip, port }: HostAddress): JsonObject {
  if (kind === 'plain') return { socket_address: { address: ip, port_value: port } };
  const endpoint_id = formatSocketAddress({ ip, port });
  return { envoy_internal_address: { server_listener_name: 'connect_originate', endpoint_id } };
}

/** `/clusters`: a line for each fact. */
export function clusterText(statuses: readonly ClusterStatus[]): string {
  return statuses
    .flatMap(({ name, hosts }) => [
      `${name}::observability_name::${name}`,
      `${name}::added_via_api::true`,
      ...hosts.flatMap((host) => hostLines(name, host)),
    ])
    .map((line) => `${line}\n`)
    .join('');
}

function hostLines(cluster: string, { address, isHealthy, weight, active }: HostStatus): string[] {
  const facts = {
    rq_active: active,
    health_flags: isHealthy ? 'healthy' : '/failed_eds_health',
    weight,
  };
  const host = `${cluster}::${formatSocketAddress(address)}`;
  return Object.entries(facts).map(([fact, value]) => `${host}::${fact}::${value}`);
}
