/** Clusters of a waypoint (spec control-plane 6.1; recording l7/01). */
import {
  type Cluster,
  type Cluster_TransportSocketMatchSchema,
  ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_LbPolicy as LbPolicy,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import {
  type InternalUpstreamTransport_MetadataValueSourceSchema,
  InternalUpstreamTransportSchema,
} from '@aquifer/wire/gen/envoy/extensions/transport_sockets/internal_upstream/v3_pb';
import { RawBufferSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/raw_buffer/v3_pb';
import { HttpProtocolOptionsSchema } from '@aquifer/wire/gen/envoy/extensions/upstreams/http/v3_pb';
import { create, type JsonObject } from '@bufbuild/protobuf';
import type { MeshService } from '../mesh-service.ts';
import { nameOf, namespaceOf } from '../object.ts';
import { OVER_ADS } from './ads.ts';
import { originatingTls } from './mutual-tls.ts';
import {
  CONNECT_ORIGINATE,
  ENCAP,
  inboundCluster,
  MAIN_INTERNAL,
  ORIGINAL_DST_KEY,
  outboundCluster,
} from './names.ts';
import { type Extension, extension, type Init, packed, seconds } from './packed.ts';
import { type L7Port, speaks } from './port-protocol.ts';
import { isHeadless } from './scope.ts';

export type ClusterInit = Init<typeof ClusterSchema>;
type SocketMatch = Init<typeof Cluster_TransportSocketMatchSchema>;
type HttpOptions = Init<typeof HttpProtocolOptionsSchema>;
type PassedMetadata = Init<typeof InternalUpstreamTransport_MetadataValueSourceSchema>;

const UNLIMITED = 0xffff_ffff;
const ORIGINATE_IDLE_S = 3600;
const INTERNAL_IDLE_S = 300;
const CONNECT_TIMEOUT_S = 10;

/** What every cluster has: a name in statistics, and no circuit breaking. */
export function base(name: string): ClusterInit {
  const threshold = {
    maxConnections: UNLIMITED,
    maxPendingRequests: UNLIMITED,
    maxRequests: UNLIMITED,
    maxRetries: UNLIMITED,
  };
  return { name, altStatName: `${name};`, circuitBreakers: { thresholds: [threshold] } };
}

export function httpOptions(options: HttpOptions): ClusterInit {
  const name = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';
  return { typedExtensionProtocolOptions: { [name]: packed(HttpProtocolOptionsSchema, options) } };
}

export const AS_DOWNSTREAM: HttpOptions = {
  upstreamProtocolOptions: {
    case: 'useDownstreamProtocolConfig',
    value: { httpProtocolOptions: {}, http2ProtocolOptions: {} },
  },
};

/** To another listener of the same proxy; `passed` is metadata of the endpoint that goes along. */
function internalSocket(prefix: string, passed: readonly PassedMetadata[]): Extension {
  return extension(`${prefix}internal_upstream`, InternalUpstreamTransportSchema, {
    passthroughMetadata: [...passed],
    transportSocket: extension(`${prefix}raw_buffer`, RawBufferSchema),
  });
}

const OF_HOST = { kind: { case: 'host' as const, value: {} } };
const OF_CLUSTER = { kind: { case: 'cluster' as const, value: {} } };
const TUNNEL_TARGET: PassedMetadata = { name: ORIGINAL_DST_KEY, kind: OF_HOST };
const ENDPOINT_METADATA: PassedMetadata = { name: 'istio', kind: OF_HOST };
const CLUSTER_METADATA: PassedMetadata = { name: 'istio', kind: OF_CLUSTER };

/** Opens HBONE tunnels to port 15008 of the original destination, or to the waypoint that metadata names. */
export function connectOriginate(peers: readonly string[]): Cluster {
  return create(ClusterSchema, {
    ...base(CONNECT_ORIGINATE),
    clusterDiscoveryType: { case: 'type', value: DiscoveryType.ORIGINAL_DST },
    lbPolicy: LbPolicy.CLUSTER_PROVIDED,
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
function internalCluster(name: string, listener: string): Cluster {
  const internal = {
    addressNameSpecifier: { case: 'serverListenerName' as const, value: listener },
  };
  const address = { address: { case: 'envoyInternalAddress' as const, value: internal } };
  const endpoint = { hostIdentifier: { case: 'endpoint' as const, value: { address } } };
  return create(ClusterSchema, {
    ...base(name),
    clusterDiscoveryType: { case: 'type', value: DiscoveryType.STATIC },
    loadAssignment: { clusterName: name, endpoints: [{ lbEndpoints: [endpoint] }] },
    transportSocket: internalSocket('', []),
    ...httpOptions({
      commonHttpProtocolOptions: { idleTimeout: seconds(INTERNAL_IDLE_S) },
      ...AS_DOWNSTREAM,
    }),
  });
}

/**
 * The clusters that every waypoint has, whatever is attached to it. It dials any workload of the trust domain, so also those
 * of its own namespace, as recorded.
 */
export function tunnelClusters(trustDomain: string, namespace: string): Cluster[] {
  const mesh = `spiffe://${trustDomain}/`;
  return [
    connectOriginate([mesh, `${mesh}ns/${namespace}/sa/`]),
    internalCluster(ENCAP, CONNECT_ORIGINATE),
    internalCluster(MAIN_INTERNAL, MAIN_INTERNAL),
  ];
}

/** What telemetry reads of the service behind a cluster. */
export function described(service: MeshService): JsonObject {
  const { hostname, kind } = service;
  const name = kind === 'ServiceEntry' ? hostname : nameOf(service);
  return { host: hostname, name, namespace: namespaceOf(service) };
}

export function discovered(name: string, service: MeshService): ClusterInit {
  return {
    ...base(name),
    clusterDiscoveryType: { case: 'type', value: DiscoveryType.EDS },
    edsClusterConfig: {
      edsConfig: OVER_ADS,
      serviceName: name,
    },
    lbPolicy: LbPolicy.LEAST_REQUEST,
    connectTimeout: seconds(CONNECT_TIMEOUT_S),
    // 0 %: an endpoint that is not healthy is never used, even if none is.
    commonLbConfig: { healthyPanicThreshold: {} },
    metadata: { filterMetadata: { istio: { services: [described(service)] } } },
  };
}

/** HTTP/2 ports are spoken to in HTTP/2; a sniffed port in what the client speaks. */
export function portOptions({ protocol }: L7Port): ClusterInit {
  if (protocol === 'unknown') return httpOptions(AS_DOWNSTREAM);
  if (protocol !== 'http2') return {};
  return httpOptions({
    upstreamProtocolOptions: {
      case: 'explicitHttpConfig',
      value: { protocolConfig: { case: 'http2ProtocolOptions', value: {} } },
    },
  });
}

/** Those of a headless service lead where the connection was going (recording l7/29). */
export const TO_ORIGINAL_DESTINATION: ClusterInit = {
  clusterDiscoveryType: { case: 'type', value: DiscoveryType.ORIGINAL_DST },
  lbPolicy: LbPolicy.CLUSTER_PROVIDED,
};

/** `inbound-vip|<port>|<kind>|<host>`, for each kind of traffic that the port may carry. */
export function inboundClusters(service: MeshService, port: L7Port): Cluster[] {
  const kinds = (['http', 'tcp'] as const).filter((kind) => speaks(port, kind));
  return kinds.map((kind) => {
    const { edsClusterConfig, ...init } = discovered(
      inboundCluster(kind, port.port, service.hostname),
      service,
    );
    return create(ClusterSchema, {
      ...init,
      ...(isHeadless(service) ? TO_ORIGINAL_DESTINATION : { edsClusterConfig }),
      ...portOptions(port),
      metadata: { filterMetadata: { istio: { services: [described(service)], subset: kind } } },
      transportSocket: internalSocket('', [TUNNEL_TARGET, ENDPOINT_METADATA]),
    });
  });
}

const SOCKET_PREFIX = 'envoy.transport_sockets.';

/** The transports of outbound clusters, of which an endpoint's metadata picks the first that it has. */
export const HBONE_SOCKET: SocketMatch = {
  name: 'hbone',
  match: { tunnel: 'http' },
  transportSocket: internalSocket(SOCKET_PREFIX, [
    TUNNEL_TARGET,
    CLUSTER_METADATA,
    ENDPOINT_METADATA,
  ]),
};
export const PLAIN_SOCKET: SocketMatch = {
  name: 'tlsMode-disabled',
  match: {},
  transportSocket: extension(`${SOCKET_PREFIX}raw_buffer`, RawBufferSchema),
};

/** `outbound|<port>||<host>`: a service that routes send to but that is not attached to this waypoint. */
export function outboundServiceCluster(service: MeshService, port: L7Port): Cluster {
  return create(ClusterSchema, {
    ...discovered(outboundCluster(port.port, service.hostname), service),
    ...portOptions(port),
    transportSocketMatches: [HBONE_SOCKET, PLAIN_SOCKET],
  });
}
