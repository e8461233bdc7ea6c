/** The clusters that sidecars have whatever they call (recordings l7/02, 03). */
import {
  type Cluster,
  ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { create } from '@bufbuild/protobuf';
import { named } from '../cluster-parts.ts';
import { AS_DOWNSTREAM, httpOptions } from '../envoy-http-protocol.ts';
import { TO_ORIGINAL_DESTINATION } from '../envoy-traffic.ts';
import { BLACK_HOLE, PASSTHROUGH } from '../names.ts';
import { seconds } from '../packed.ts';
import type { ClusterInit } from '../service-clusters.ts';
import { connectOriginate, unlimited } from '../tunnel-clusters.ts';

const CONNECT_TIMEOUT_S = 10;
const PASS_IDLE_S = 300;

/** Also of gateways. */
export function proxyClusters(trustDomain: string): Cluster[] {
  return [blackHole(), connectOriginate([`spiffe://${trustDomain}/`])];
}

function blackHole(): Cluster {
  return create(ClusterSchema, {
    ...named(BLACK_HOLE),
    connectTimeout: seconds(CONNECT_TIMEOUT_S),
    clusterDiscoveryType: { case: 'type', value: DiscoveryType.STATIC },
  });
}

/** To wherever a connection was going; statistics know one name for both directions. */
function passing(name: string): ClusterInit {
  return {
    ...unlimited(PASSTHROUGH),
    name,
    ...TO_ORIGINAL_DESTINATION,
    connectTimeout: seconds(CONNECT_TIMEOUT_S),
    ...httpOptions({
      commonHttpProtocolOptions: { idleTimeout: seconds(PASS_IDLE_S) },
      ...AS_DOWNSTREAM,
    }),
  };
}

export function passthrough(): Cluster {
  return create(ClusterSchema, passing(PASSTHROUGH));
}

export const INBOUND_PASSTHROUGH = 'InboundPassthroughCluster';

/** To the workload itself, from an address that is not captured again. */
export function inboundPassthrough(wildcard: string): Cluster {
  return create(ClusterSchema, { ...passing(INBOUND_PASSTHROUGH), ...fromProxy(wildcard) });
}

/** What a proxy connects to its own workload from: redirection leaves it alone. */
export function fromProxy(wildcard: string): ClusterInit {
  const address = wildcard === '::' ? '::6' : '127.0.0.6';
  const portSpecifier = { case: 'portValue' as const, value: 0 };
  return { upstreamBindConfig: { sourceAddress: { address, portSpecifier } } };
}
