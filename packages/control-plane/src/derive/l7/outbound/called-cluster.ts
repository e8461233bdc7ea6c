/** Clusters of what sidecars and gateways call, by resolution and transport (recordings l7/02, 22, 29). */
import { type Cluster, ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { create } from '@bufbuild/protobuf';
import { isHeadless } from '../../mesh-service.ts';
import type { WorkloadResource } from '../../resource.ts';
import { hboneSocket, PLAIN_SOCKET, type SocketMatch } from '../cluster-parts.ts';
import { clusterLoadAssignment, type ServiceAssignment } from '../endpoints.ts';
import { isHttp2 } from '../envoy-http-protocol.ts';
import { toSidecar } from '../mutual-tls.ts';
import { outboundCluster } from '../names.ts';
import type { Extension } from '../packed.ts';
import type { ProxyNode } from '../proxy-node.ts';
import {
  configOf,
  type Discovery,
  described,
  discoveryOf,
  external,
  type PortCluster,
  policyOf,
  serviceCluster,
} from '../service-clusters.ts';
import type { PeerTls, ServicePeers } from './service-peers.ts';

/** Where connections of a proxy go: those to a headless service where the client of a sidecar has decided. */
export function calledDiscovery(part: PortCluster, role: ProxyNode['type']): Discovery {
  if (role === 'sidecar' && isHeadless(part.service)) return 'original-destination';
  return discoveryOf(part, 'outbound');
}

/** What the cluster of a called port is made of besides. */
export interface ClusterContext {
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
  const { assignment, discovery, tls } = context;
  const loadAssignment =
    discovery === 'dns' ? clusterLoadAssignment(assignment, context.workloads()) : null;
  if (loadAssignment?.endpoints.length === 0) return null;
  const name = outboundCluster(port.port, service.hostname, subset);
  const istio = {
    services: [described(service)],
    ...external(service),
    ...(subset !== '' && { subset }),
    ...(traffic !== null && { config: configOf(traffic) }),
  };
  return create(ClusterSchema, {
    ...serviceCluster(name, part, discovery),
    ...(loadAssignment && { loadAssignment }),
    metadata: { filterMetadata: { istio } },
    ...(tls === 'always'
      ? { transportSocket: meshTls(part, context) }
      : { transportSocketMatches: socketMatches(part, context) }),
  });
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
  const protocols = isHttp2(port, policyOf(part)) ? [...ALPN, 'h2'] : ALPN;
  return toSidecar(peers.identities, sniOf(port.port, subset, service.hostname), protocols);
}

/** By which gateways between networks tell services apart. */
function sniOf(port: number, subset: string, hostname: string): string {
  return `outbound_.${port}_.${subset}_.${hostname}`;
}
