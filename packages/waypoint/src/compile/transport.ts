import {
  type Cluster,
  Cluster_DiscoveryType as DiscoveryType,
  type Cluster_TransportSocketMatch as SocketMatch,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import type { TransportSocket } from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import type {
  ClusterLoadAssignment,
  LbEndpoint,
} from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
import { InternalUpstreamTransportSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/internal_upstream/v3_pb';
import { RawBufferSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/raw_buffer/v3_pb';
import { isType, unpack } from './any.ts';
import { ConfigProblem } from './problem.ts';

/** What endpoints say by their metadata about how they are reached, and transport socket matches ask for. */
const SOCKET_MATCH = 'envoy.transport_socket_match';
/** Clusters of the services that Istio attaches to a waypoint. */
const OWN_SERVICES = 'inbound-vip|';
/** Endpoints that are listeners of Envoy's own stand for tunnels. */
const TUNNEL_LISTENERS: ReadonlySet<string> = new Set(['connect_originate', 'main_internal']);
const HTTP_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** Throws `ConfigProblem` for clusters whose endpoints would have to be found or reached in a way that is not done. */
export function refuseUndialled(cluster: Cluster): void {
  const { clusterDiscoveryType: discovery, edsClusterConfig: eds, name } = cluster;
  if (discovery.case === 'type') {
    const { value: type } = discovery;
    if (type === DiscoveryType.STRICT_DNS || type === DiscoveryType.LOGICAL_DNS)
      throw new ConfigProblem('type', 'clusters by DNS name are refused: names are not resolved');
  }
  if (eds !== undefined && eds.serviceName !== '' && eds.serviceName !== name)
    throw new ConfigProblem('eds_cluster_config.service_name', 'is not the name of the cluster');
  for (const key of Object.keys(cluster.typedExtensionProtocolOptions)) {
    if (key !== HTTP_OPTIONS)
      throw new ConfigProblem(`typed_extension_protocol_options[${key}]`, 'is unknown here');
  }
  for (const [i, match] of cluster.transportSocketMatches.entries()) {
    refuseSocketMatch(match, `transport_socket_matches[${i}]`);
  }
}

/** Only endpoints that ask for TLS of Istio's sidecars get it, and those are refused one by one. */
function refuseSocketMatch({ match, transportSocket }: SocketMatch, path: string): void {
  const { tlsMode } = match ?? {};
  if (tlsMode === 'istio' || transportSocket === undefined || isPlain(transportSocket, path))
    return;
  throw new ConfigProblem(
    `${path}.transport_socket`,
    'TLS of applications is not begun here, nor is a PROXY header written',
  );
}

function isPlain({ configType }: TransportSocket, path: string): boolean {
  const any = configType.value;
  if (isType(any, RawBufferSchema)) return true;
  if (!isType(any, InternalUpstreamTransportSchema)) return false;
  const { transportSocket } = unpack(any, InternalUpstreamTransportSchema, path);
  return transportSocket === undefined || isPlain(transportSocket, path);
}

/** Throws `ConfigProblem` for endpoints that are to be reached by TLS which is not done, or lead nobody knows where. */
export function refuseUnreachable({ clusterName, endpoints }: ClusterLoadAssignment): void {
  for (const [i, { lbEndpoints }] of endpoints.entries()) {
    for (const [j, endpoint] of lbEndpoints.entries()) {
      const path = `endpoints[${i}].lb_endpoints[${j}]`;
      // Those have no transport socket matches: what sidecars offer is not made use of.
      if (!clusterName.startsWith(OWN_SERVICES)) refuseSidecarTls(endpoint, path);
      refuseOtherListener(endpoint, path);
    }
  }
}

function refuseSidecarTls({ metadata }: LbEndpoint, path: string): void {
  const wanted = metadata?.filterMetadata[SOCKET_MATCH];
  if (wanted?.tlsMode === undefined) return;
  const field = `${path}.metadata.filter_metadata[${SOCKET_MATCH}].tlsMode`;
  throw new ConfigProblem(field, 'the TLS of sidecars is not begun here');
}

function refuseOtherListener({ hostIdentifier }: LbEndpoint, path: string): void {
  const address = hostIdentifier.value?.address?.address;
  if (address?.case !== 'envoyInternalAddress') return;
  const listener = address.value.addressNameSpecifier.value ?? '';
  if (TUNNEL_LISTENERS.has(listener)) return;
  const field = `${path}.endpoint.address.envoy_internal_address.server_listener_name`;
  throw new ConfigProblem(field, `${JSON.stringify(listener)} is no listener of tunnels`);
}
