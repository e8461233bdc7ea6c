/** The clusters that sidecars have whatever they call (recordings l7/02, 03). */
import {
  type Cluster,
  ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_LbPolicy as LbPolicy,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { create } from '@bufbuild/protobuf';
import {
  AS_DOWNSTREAM,
  base,
  type ClusterInit,
  connectOriginate,
  httpOptions,
} from '../clusters.ts';
import { BLACK_HOLE, PASSTHROUGH } from '../names.ts';
import { seconds } from '../packed.ts';

/** Also of gateways. */
export function proxyClusters(trustDomain: string): Cluster[] {
  return [blackHole(), connectOriginate([`spiffe://${trustDomain}/`])];
}

const PASS_IDLE_S = 300;

/** To wherever a connection was going. */
function passing(name: string): ClusterInit {
  return {
    ...base(PASSTHROUGH),
    name,
    connectTimeout: seconds(10),
    clusterDiscoveryType: { case: 'type', value: DiscoveryType.ORIGINAL_DST },
    lbPolicy: LbPolicy.CLUSTER_PROVIDED,
    ...httpOptions({
      commonHttpProtocolOptions: { idleTimeout: seconds(PASS_IDLE_S) },
      ...AS_DOWNSTREAM,
    }),
  };
}

function blackHole(): Cluster {
  const { name = '', altStatName = '' } = base(BLACK_HOLE);
  return create(ClusterSchema, {
    name,
    altStatName,
    connectTimeout: seconds(10),
    clusterDiscoveryType: { case: 'type', value: DiscoveryType.STATIC },
  });
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
