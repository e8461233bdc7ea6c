import type { Cluster } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import type {
  ClusterLoadAssignment,
  LbEndpoint,
} from '@aquifer/wire/gen/envoy/config/endpoint/v3_pb';
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
  const { edsClusterConfig: eds, name } = cluster;
  if (eds !== undefined && eds.serviceName !== '' && eds.serviceName !== name)
    throw new ConfigProblem('eds_cluster_config.service_name', 'is not the name of the cluster');
  for (const key of Object.keys(cluster.typedExtensionProtocolOptions)) {
    if (key !== HTTP_OPTIONS)
      throw new ConfigProblem(`typed_extension_protocol_options[${key}]`, 'is unknown here');
  }
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
