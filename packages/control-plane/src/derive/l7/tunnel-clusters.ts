/** Clusters that lead to the proxy itself and into tunnels (spec control-plane 6.1; recording l7/01). */
import {
  type Cluster,
  ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { create } from '@bufbuild/protobuf';
import { internalSocket, named } from './cluster-parts.ts';
import { AS_DOWNSTREAM, httpOptions } from './envoy-http-protocol.ts';
import { circuitBreakersOf, TO_ORIGINAL_DESTINATION } from './envoy-traffic.ts';
import { originatingTls } from './mutual-tls.ts';
import { CONNECT_ORIGINATE, ENCAP, MAIN_INTERNAL, ORIGINAL_DST_KEY } from './names.ts';
import { type Init, seconds } from './packed.ts';

const ORIGINATE_IDLE_S = 3600;
const INTERNAL_IDLE_S = 300;
const CONNECT_TIMEOUT_S = 10;

/** Without circuit breaking. */
export function unlimited(name: string): Init<typeof ClusterSchema> {
  return { ...named(name), circuitBreakers: circuitBreakersOf(null) };
}

/** Opens HBONE tunnels to port 15008 of the original destination, or to the waypoint that metadata names. */
export function connectOriginate(peers: readonly string[]): Cluster {
  return create(ClusterSchema, {
    ...unlimited(CONNECT_ORIGINATE),
    ...TO_ORIGINAL_DESTINATION,
    connectTimeout: seconds(CONNECT_TIMEOUT_S),
    cleanupInterval: seconds(60),
    lbConfig: {
      case: 'originalDstLbConfig',
      value: {
        upstreamPortOverride: 15008,
        metadataKey: {
          key: ORIGINAL_DST_KEY,
          path: [{ segment: { case: 'key', value: 'waypoint' } }],
        },
      },
    },
    transportSocket: originatingTls(peers),
    ...httpOptions({
      commonHttpProtocolOptions: { idleTimeout: seconds(ORIGINATE_IDLE_S) },
      upstreamProtocolOptions: {
        case: 'explicitHttpConfig',
        value: {
          protocolConfig: { case: 'http2ProtocolOptions', value: { allowConnect: true } },
        },
      },
    }),
  });
}

/** The one endpoint is an internal listener. */
export function internalCluster(name: string, listener: string): Cluster {
  const internal = {
    addressNameSpecifier: { case: 'serverListenerName' as const, value: listener },
  };
  const address = { address: { case: 'envoyInternalAddress' as const, value: internal } };
  const endpoint = { hostIdentifier: { case: 'endpoint' as const, value: { address } } };
  return create(ClusterSchema, {
    ...unlimited(name),
    clusterDiscoveryType: { case: 'type', value: DiscoveryType.STATIC },
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [endpoint] }] },
    transportSocket: internalSocket('', []),
    ...httpOptions({
      commonHttpProtocolOptions: { idleTimeout: seconds(INTERNAL_IDLE_S) },
      ...AS_DOWNSTREAM,
    }),
  });
}

/** To itself, and through tunnels to any workload of the trust domain: so also to those of its namespace, as recorded. */
export function tunnelClusters(trustDomain: string, namespace: string): Cluster[] {
  const mesh = `spiffe://${trustDomain}/`;
  return [
    connectOriginate([mesh, `${mesh}ns/${namespace}/sa/`]),
    internalCluster(ENCAP, CONNECT_ORIGINATE),
    internalCluster(MAIN_INTERNAL, MAIN_INTERNAL),
  ];
}
