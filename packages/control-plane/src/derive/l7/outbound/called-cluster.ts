/** Clusters of what sidecars and gateways call, by resolution and transport (recordings l7/02, 22, 29). */
import { type Cluster, ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { create } from '@bufbuild/protobuf';
import { isHeadless } from '../../mesh-service.ts';
import type { WorkloadResource } from '../../resource.ts';
import type { ClientTls, TrafficPolicy } from '../../traffic/traffic-policy.ts';
import { hboneSocket, PLAIN_SOCKET, type SocketMatch } from '../cluster-parts.ts';
import { clusterLoadAssignment, type ServiceAssignment } from '../endpoints.ts';
import { isHttp2 } from '../envoy-http-protocol.ts';
import { toSidecar } from '../mutual-tls.ts';
import { outboundCluster } from '../names.ts';
import type { Extension } from '../packed.ts';
import type { ProxyNode } from '../proxy-node.ts';
import {
  announced,
  type ClusterInit,
  configOf,
  type Discovery,
  described,
  discoveryOf,
  external,
  type PortCluster,
  policyOf,
  serviceCluster,
  tlsTransport,
} from '../service-clusters.ts';
import { type Certificates, userTls } from '../upstream-tls.ts';
import type { PeerTls, ServicePeers } from './service-peers.ts';

/** Where connections of a proxy go: those to a headless service where the client of a sidecar has decided. */
export function calledDiscovery(part: PortCluster, role: ProxyNode['type']): Discovery {
  if (role === 'sidecar' && isHeadless(part.service)) return 'original-destination';
  const found = discoveryOf(part, 'outbound');
  // Only a waypoint tells the names of a wildcard apart.
  return found === 'by-name' ? 'original-destination' : found;
}

/** What the cluster of a called port is made of besides. */
export interface ClusterContext {
  /** Where the proxy finds certificates that a rule names. */
  readonly found: Certificates;
  readonly discovery: Discovery;
  readonly peers: ServicePeers;
  readonly tls: PeerTls;
  readonly assignment: ServiceAssignment;
  /** Those behind the service; asked for names that DNS resolves. */
  workloads(): readonly WorkloadResource[];
}

/** Null for a name without endpoints: a cluster must have one. */
export function calledCluster(part: PortCluster, context: ClusterContext): Cluster | null {
  const { service, port, subset, traffic } = part;
  const { assignment, discovery } = context;
  const loadAssignment =
    discovery === 'dns' ? clusterLoadAssignment(assignment, context.workloads()) : null;
  if (loadAssignment?.endpoints.length === 0) return null;
  const name = outboundCluster(port.port, service.hostname, subset);
  const istio = {
    services: [described(service)],
    ...external(service),
    ...(userTls(policyOf(part)) !== null && { alpn_override: 'false' }),
    ...(subset !== '' && { subset }),
    ...(traffic !== null && { config: configOf(traffic, service) }),
  };
  return create(ClusterSchema, {
    ...serviceCluster(name, part, discovery),
    ...(loadAssignment && { loadAssignment }),
    metadata: { filterMetadata: { istio } },
    ...allAnnounced(transportsOf(part, context), policyOf(part)),
  });
}

function allAnnounced(
  { transportSocket, transportSocketMatches = [] }: Transports,
  policy: TrafficPolicy | null,
): ClusterInit {
  return {
    ...(transportSocket && { transportSocket: announced(transportSocket, policy) }),
    transportSocketMatches: transportSocketMatches.map((match) => ({
      ...match,
      transportSocket: announced(match.transportSocket, policy),
    })),
  };
}

/** One transport for all endpoints, or those of which an endpoint's metadata picks one. */
interface Transports {
  readonly transportSocket?: Extension;
  readonly transportSocketMatches?: readonly SocketMatch[];
}

/** TLS that a DestinationRule asks for takes the place of what the proxy would do of its own accord. */
function transportsOf(part: PortCluster, context: ClusterContext): Transports {
  const policy = policyOf(part);
  const { tls, discovery, found } = context;
  const isPassed = discovery === 'original-destination';
  const own = userTls(policy);
  if (own !== null && !lacksCredential(own, found)) {
    const transportSocket = tlsTransport(own, isHttp2(part.port, policy), found);
    if (isPassed) return { transportSocket };
    return {
      transportSocketMatches: [hboneSocket(transportSocket), { name: 'user', transportSocket }],
    };
  }
  switch (policy?.tls?.mode) {
    case 'ISTIO_MUTUAL': {
      const transportSocket = meshTls(part, context);
      if (isPassed) return { transportSocket };
      return {
        transportSocketMatches: [hboneSocket(), { name: 'tlsMode-istio', transportSocket }],
      };
    }
    case undefined:
      if (tls === 'always') return { transportSocket: meshTls(part, context) };
      return { transportSocketMatches: socketMatches(part, context) };
    default:
      return isPassed ? {} : { transportSocketMatches: [hboneSocket(), PLAIN_SOCKET] };
  }
}

/** As recorded, a sidecar fetches no credential of a name unless its rule chooses it: it speaks plaintext. */
function lacksCredential({ credentialName = '', roots }: ClientTls, found: Certificates): boolean {
  return credentialName !== '' && roots === undefined && found === 'files';
}

function socketMatches(part: PortCluster, context: ClusterContext): SocketMatch[] {
  if (context.tls === 'never') return [hboneSocket(), PLAIN_SOCKET];
  const transportSocket = meshTls(part, context);
  const marked = { name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transportSocket };
  return [hboneSocket(), marked, PLAIN_SOCKET];
}

const ALPN: readonly string[] = ['istio-peer-exchange', 'istio'];

function meshTls(part: PortCluster, { peers }: ClusterContext): Extension {
  const { service, port, subset } = part;
  const policy = policyOf(part);
  const { sni, subjectAltNames = [] } = policy?.tls ?? {};
  const identities = subjectAltNames.length > 0 ? subjectAltNames : peers.identities;
  const protocols = isHttp2(port, policy) ? [...ALPN, 'h2'] : ALPN;
  return toSidecar(identities, sni || sniOf(port.port, subset, service.hostname), protocols);
}

/** By which gateways between networks tell services apart. */
function sniOf(port: number, subset: string, hostname: string): string {
  return `outbound_.${port}_.${subset}_.${hostname}`;
}
