/** The clusters of services at a waypoint (spec control-plane 6.1; recordings l7/01, 11, 17). */
import {
  type Cluster,
  ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_DnsLookupFamily as DnsLookupFamily,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ProxyProtocolConfig_Version as ProxyVersion } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { CaresDnsResolverConfigSchema } from '@aquifer/wire/gen/envoy/extensions/network/dns_resolver/cares/v3_pb';
import { ProxyProtocolUpstreamTransportSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/proxy_protocol/v3_pb';
import { RawBufferSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/raw_buffer/v3_pb';
import { UpstreamTlsContextSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/tls/v3_pb';
import { create, type JsonObject } from '@bufbuild/protobuf';
import { isHeadless, type MeshService, type Resolution } from '../mesh-service.ts';
import { nameOf, namespaceOf } from '../object.ts';
import {
  type DestinationPolicy,
  type TrafficPolicy,
  trafficPolicyAt,
} from '../traffic/traffic-policy.ts';
import { OVER_ADS } from './ads.ts';
import {
  ENDPOINT_METADATA,
  hboneSocket,
  internalSocket,
  named,
  PLAIN_SOCKET,
  type SocketMatch,
  TUNNEL_TARGET,
} from './cluster-parts.ts';
import { isHttp2, portHttpOptions } from './envoy-http-protocol.ts';
import { TO_ORIGINAL_DESTINATION, trafficFields } from './envoy-traffic.ts';
import { inboundCluster, outboundCluster } from './names.ts';
import { duration, type Extension, extension, type Init, packed, seconds } from './packed.ts';
import type { L7Port } from './port-protocol.ts';
import { namesOfRequest, tlsContext, userTls } from './upstream-tls.ts';

const SOCKETS = 'envoy.transport_sockets.';

export type ClusterInit = Init<typeof ClusterSchema>;

/** What telemetry reads of the service behind a cluster; an entry has a service for each host. */
export function described({ kind, hostname, ...service }: MeshService): JsonObject {
  const name = kind === 'Service' ? nameOf(service) : hostname;
  return { host: hostname, name, namespace: namespaceOf(service) };
}

export function external({ location }: MeshService): { readonly external?: true } {
  return location === 'external' ? { external: true } : {};
}

const IN_EDS: NonNullable<ClusterInit['edsClusterConfig']> = {
  edsConfig: OVER_ADS,
};

/** Whether what was sent to the service goes on, or a route leads there. */
export type Direction = 'inbound' | 'outbound';

/** One cluster of a port: of a subset, or of all endpoints. */
export interface PortCluster {
  readonly service: MeshService;
  readonly port: L7Port;
  /** Empty for all endpoints. */
  readonly subset: string;
  /** What DestinationRules say of the service; null if nothing. */
  readonly traffic: DestinationPolicy | null;
}

export function policyOf({ traffic, port, subset }: PortCluster): TrafficPolicy | null {
  return traffic === null ? null : trafficPolicyAt(traffic, port.port, subset);
}

/** What Istio's tools name a DestinationRule by. */
export function configOf({ sources: [{ namespace, name }] }: DestinationPolicy): string {
  return `/apis/networking.istio.io/v1/namespaces/${namespace}/destination-rule/${name}`;
}

/**
 * Where connections of a cluster go: to endpoints that are sent by themselves, to names that are part of the cluster and
 * that DNS knows, or where they were going.
 */
export type Discovery = 'endpoints' | 'dns' | 'original-destination';

const DISCOVERIES: Readonly<Record<Resolution, Discovery>> = {
  workloads: 'endpoints',
  headless: 'original-destination',
  none: 'original-destination',
  dns: 'dns',
  'dns-round-robin': 'dns',
  'dynamic-dns': 'original-destination',
  alias: 'endpoints',
};

export function discoveryOf(part: PortCluster, direction: Direction): Discovery {
  if (policyOf(part)?.loadBalancer?.simple === 'PASSTHROUGH') return 'original-destination';
  // Routes to a headless service mean its endpoints; what was sent to it was sent to one of them.
  if (direction === 'outbound' && isHeadless(part.service)) return 'endpoints';
  return DISCOVERIES[part.service.resolution];
}

function discoveryFields(
  name: string,
  discovery: Discovery,
  { resolution }: MeshService,
): ClusterInit {
  switch (discovery) {
    case 'endpoints':
      return {
        clusterDiscoveryType: { case: 'type', value: DiscoveryType.EDS },
        edsClusterConfig: { ...IN_EDS, serviceName: name },
      };
    case 'dns':
      return {
        clusterDiscoveryType: {
          case: 'type',
          value: resolution === 'dns' ? DiscoveryType.STRICT_DNS : DiscoveryType.LOGICAL_DNS,
        },
        dnsLookupFamily: DnsLookupFamily.V4_ONLY,
        dnsRefreshRate: seconds(DNS_REFRESH_S),
        dnsJitter: DNS_JITTER,
        respectDnsTtl: true,
        typedDnsResolverConfig: DNS_RESOLVER,
      };
    case 'original-destination':
      return TO_ORIGINAL_DESTINATION;
  }
}

const DNS_REFRESH_S = 60;
const DNS_JITTER = duration(100);
/** As recorded: of one socket at most so many questions are asked. */
const DNS_RESOLVER = {
  name: 'envoy.network.dns_resolver.cares',
  typedConfig: packed(CaresDnsResolverConfigSchema, { udpMaxQueries: 100 }),
};

/** What clusters of all roles are made of. */
export function serviceCluster(name: string, part: PortCluster, discovery: Discovery): ClusterInit {
  const policy = policyOf(part);
  return {
    ...named(name),
    ...trafficFields(policy),
    ...discoveryFields(name, discovery, part.service),
    ...portHttpOptions(part.port, policy, namesOfRequest(userTls(policy))),
  };
}

/** `inbound-vip|<port>|<kind>|<host>`, for one of the kinds of traffic that the port may carry. */
export function inboundServiceCluster(kind: 'http' | 'tcp', part: PortCluster): Cluster {
  const { service, port, subset, traffic } = part;
  const policy = policyOf(part);
  const name = inboundCluster(kind, port.port, service.hostname, subset);
  return create(ClusterSchema, {
    ...serviceCluster(name, part, discoveryOf(part, 'inbound')),
    metadata: {
      filterMetadata: {
        istio: {
          ...external(service),
          services: [described(service)],
          subset: subset === '' ? kind : `${kind}/${subset}`,
          ...(traffic !== null && policy !== null && { config: configOf(traffic) }),
        },
      },
    },
    transportSocket: internalSocket('', [TUNNEL_TARGET, ENDPOINT_METADATA], socketTo(part, policy)),
  });
}

/** What runs within the tunnel, or to an endpoint that takes none. TLS of the mesh is what tunnels are made of anyway. */
function socketTo({ port }: PortCluster, policy: TrafficPolicy | null): Extension {
  const tls = tlsSocket(port, policy);
  return announced(tls ?? extension('raw_buffer', RawBufferSchema), policy);
}

/** Null if nobody asks for TLS of their own. */
function tlsSocket(port: L7Port, policy: TrafficPolicy | null): Extension | null {
  const tls = userTls(policy);
  return tls === null ? null : tlsTransport(tls, isHttp2(port, policy));
}

export function tlsTransport(tls: NonNullable<TrafficPolicy['tls']>, isHttp2: boolean): Extension {
  return extension(`${SOCKETS}tls`, UpstreamTlsContextSchema, tlsContext(tls, isHttp2));
}

/** Connections that begin with who connects, where a rule asks for it. */
export function announced(inner: Extension, policy: TrafficPolicy | null): Extension {
  const { proxyProtocol } = policy ?? {};
  if (proxyProtocol === undefined) return inner;
  const version = proxyProtocol.version === 'V2' ? ProxyVersion.V2 : ProxyVersion.V1;
  return extension(`${SOCKETS}upstream_proxy_protocol`, ProxyProtocolUpstreamTransportSchema, {
    config: { version },
    transportSocket: inner,
  });
}

/** `outbound|<port>|<subset>|<host>`: a service that routes send to but that is not attached to this waypoint. */
export function outboundServiceCluster(part: PortCluster): Cluster {
  const { service, port, subset, traffic } = part;
  const name = outboundCluster(port.port, service.hostname, subset);
  return create(ClusterSchema, {
    ...serviceCluster(name, part, discoveryOf(part, 'outbound')),
    metadata: {
      filterMetadata: {
        istio: {
          ...external(service),
          services: [described(service)],
          ...(subset !== '' && { subset }),
          ...(traffic !== null && { config: configOf(traffic) }),
        },
      },
    },
    ...(discoveryOf(part, 'outbound') === 'original-destination'
      ? directSocket(port, policyOf(part))
      : { transportSocketMatches: outboundSockets(port, policyOf(part)) }),
  });
}

/** Nothing is known of whoever is where a connection was going. */
function directSocket(port: L7Port, policy: TrafficPolicy | null): ClusterInit {
  const transportSocket = tlsSocket(port, policy);
  return transportSocket === null ? {} : { transportSocket };
}

/** As recorded for sidecars: an endpoint that takes tunnels gets what others get within one. */
function outboundSockets(port: L7Port, policy: TrafficPolicy | null): SocketMatch[] {
  const tls = tlsSocket(port, policy);
  const sockets: SocketMatch[] =
    tls === null
      ? [hboneSocket(), PLAIN_SOCKET]
      : [hboneSocket(tls), { name: 'user', transportSocket: tls }];
  return sockets.map((match) => ({
    ...match,
    transportSocket: announced(match.transportSocket, policy),
  }));
}
