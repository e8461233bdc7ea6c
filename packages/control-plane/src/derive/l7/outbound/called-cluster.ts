/** Clusters of what sidecars and gateways call, by resolution and transport (recordings l7/02, 22, 29). */
import {
  type Cluster,
  ClusterSchema,
  Cluster_DiscoveryType as DiscoveryType,
  Cluster_DnsLookupFamily as DnsFamily,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { CaresDnsResolverConfigSchema } from '@aquifer/wire/gen/envoy/extensions/network/dns_resolver/cares/v3_pb';
import { create } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import type { MeshService, Resolution } from '../../mesh-service.ts';
import type { MeshPort } from '../../ports.ts';
import { l7ProtocolOf } from '../../protocol.ts';
import type { WorkloadResource } from '../../resource.ts';
import {
  type ClusterInit,
  described,
  discovered,
  HBONE_SOCKET,
  PLAIN_SOCKET,
  portOptions,
  TO_ORIGINAL_DESTINATION,
} from '../clusters.ts';
import { clusterLoadAssignment, type ServiceAssignment } from '../endpoints.ts';
import { toSidecar } from '../mutual-tls.ts';
import { outboundCluster } from '../names.ts';
import { packed, seconds } from '../packed.ts';
import type { ProxyNode } from '../proxy-node.ts';
import type { PeerTls, ServicePeers } from './service-peers.ts';

/** A port of a service that is called. */
export interface CalledPort {
  readonly service: MeshService;
  readonly port: MeshPort;
  /** Whether the proxy chooses among endpoints, or leads where a connection was going. */
  readonly endpoints: 'chosen' | 'original';
}

type Role = ProxyNode['type'];

/** Only gateways choose for clients that have chosen themselves: theirs have not. */
export function endpointsOf({ resolution }: MeshService, role: Role): CalledPort['endpoints'] {
  if (resolution === 'headless') return role === 'sidecar' ? 'original' : 'chosen';
  return ORIGINAL.includes(resolution) ? 'original' : 'chosen';
}

const ORIGINAL: readonly Resolution[] = ['none', 'dynamic-dns'];
const BY_NAME: readonly Resolution[] = ['dns', 'dns-round-robin'];

/** Whether its endpoints come by EDS. */
export function isDiscovered({ service, endpoints }: CalledPort): boolean {
  return endpoints === 'chosen' && !BY_NAME.includes(service.resolution);
}

export function assignmentOf({ service, port }: CalledPort, serviceKey: string): ServiceAssignment {
  return {
    clusterName: outboundCluster(port.number, service.hostname),
    serviceKey,
    servicePort: port.number,
    transports: 'hbone-and-mtls',
    service,
  };
}

/** What the cluster of a called port is made of besides. */
export interface ClusterContext {
  readonly peers: ServicePeers;
  readonly tls: PeerTls;
  readonly assignment: ServiceAssignment;
  /** Those behind the service; asked for names that DNS resolves. */
  workloads(): readonly WorkloadResource[];
}

/** Null for a name without endpoints: a cluster must have one. */
export function calledCluster(called: CalledPort, context: ClusterContext): Cluster | null {
  const { service, port } = called;
  const { assignment, tls } = context;
  const { edsClusterConfig, metadata, ...common } = discovered(assignment.clusterName, service);
  const resolution = resolutionOf(called, context);
  if (resolution === null) return null;
  const isExternal = service.location === 'mesh-external';
  const istio = { services: [described(service)], ...(isExternal && { external: true }) };
  return create(ClusterSchema, {
    ...common,
    ...(isDiscovered(called) && { edsClusterConfig }),
    ...resolution,
    ...portOptions({ port: port.number, protocol: l7ProtocolOf(port.protocol) }),
    ...(metadata && { metadata: { filterMetadata: { istio } } }),
    ...(tls === 'always'
      ? { transportSocket: meshTls(called, context) }
      : { transportSocketMatches: socketMatches(called, context) }),
  });
}

function socketMatches(
  called: CalledPort,
  context: ClusterContext,
): NonNullable<ClusterInit['transportSocketMatches']> {
  if (context.tls === 'never') return [HBONE_SOCKET, PLAIN_SOCKET];
  const transportSocket = meshTls(called, context);
  const marked = { name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transportSocket };
  return [HBONE_SOCKET, marked, PLAIN_SOCKET];
}

const ALPN: readonly string[] = ['istio-peer-exchange', 'istio'];

function meshTls({ service, port }: CalledPort, { peers }: ClusterContext) {
  const isHttp2 = l7ProtocolOf(port.protocol) === 'http2';
  const sni = `outbound_.${port.number}_._.${service.hostname}`;
  return toSidecar(peers.identities, sni, isHttp2 ? [...ALPN, 'h2'] : ALPN);
}

function resolutionOf(called: CalledPort, context: ClusterContext): ClusterInit | null {
  if (called.endpoints === 'original') return TO_ORIGINAL_DESTINATION;
  if (!BY_NAME.includes(called.service.resolution)) return {};
  const loadAssignment = clusterLoadAssignment(context.assignment, context.workloads());
  if (loadAssignment.endpoints.length === 0) return null;
  const type =
    called.service.resolution === 'dns' ? DiscoveryType.STRICT_DNS : DiscoveryType.LOGICAL_DNS;
  return {
    clusterDiscoveryType: { case: 'type', value: type },
    loadAssignment,
    dnsLookupFamily: DnsFamily.V4_ONLY,
    dnsRefreshRate: seconds(60),
    dnsJitter: durationFromMs(100),
    respectDnsTtl: true,
    typedDnsResolverConfig: {
      name: 'envoy.network.dns_resolver.cares',
      typedConfig: packed(CaresDnsResolverConfigSchema, { udpMaxQueries: 100 }),
    },
  };
}
