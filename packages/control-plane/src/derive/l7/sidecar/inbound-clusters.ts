/** From a sidecar to its own workload (recordings l7/03, 30). */
import {
  type Cluster,
  ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { create } from '@bufbuild/protobuf';
import { portHttpOptions } from '../envoy-http-protocol.ts';
import { TO_ORIGINAL_DESTINATION } from '../envoy-traffic.ts';
import { socketAddress } from '../listener-parts.ts';
import { seconds } from '../packed.ts';
import { type ClusterInit, described } from '../service-clusters.ts';
import { unlimited } from '../tunnel-clusters.ts';
import { inboundClusterName } from './inbound-listener.ts';
import type { InboundEndpoint, InboundPort } from './inbound-ports.ts';
import { fromProxy } from './own-clusters.ts';

const CONNECT_TIMEOUT_S = 10;
/** As long as Envoy can say: an address that was connected to once stays known. */
const NEVER_S = 9_223_372_035;

export function inboundCluster(inbound: InboundPort, wildcard: string): Cluster {
  const { port, protocol, endpoint, services } = inbound;
  const name = inboundClusterName(port);
  return create(ClusterSchema, {
    ...unlimited(name),
    connectTimeout: seconds(CONNECT_TIMEOUT_S),
    commonLbConfig: {},
    ...(endpoint === null ? toWorkload(wildcard) : toEndpoint(name, endpoint)),
    // A sniffed port is the workload's own affair.
    ...(protocol === 'http2' && portHttpOptions({ port, protocol }, null, null)),
    ...(services.length > 0 && {
      metadata: { filterMetadata: { istio: { services: services.map(described) } } },
    }),
  });
}

function toWorkload(wildcard: string): ClusterInit {
  return {
    ...TO_ORIGINAL_DESTINATION,
    ...fromProxy(wildcard),
    cleanupInterval: seconds(NEVER_S),
  };
}

function toEndpoint(clusterName: string, endpoint: InboundEndpoint): ClusterInit {
  const address =
    endpoint.kind === 'pipe'
      ? { address: { case: 'pipe' as const, value: { path: endpoint.path } } }
      : socketAddress(endpoint.address, endpoint.port);
  const lbEndpoint = { hostIdentifier: { case: 'endpoint' as const, value: { address } } };
  return {
    clusterDiscoveryType: { case: 'type', value: DiscoveryType.STATIC },
    loadAssignment: { clusterName, endpoints: [{ lbEndpoints: [lbEndpoint] }] },
  };
}
