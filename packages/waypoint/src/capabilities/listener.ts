import {
  FilterChainSchema,
  FilterSchema,
  Listener_InternalListenerConfigSchema,
  ListenerFilterSchema,
  ListenerSchema,
} from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { FilterStateValueSchema } from '@aquifer/wire/gen/envoy/extensions/filters/common/set_filter_state/v3_pb';
import { HttpInspectorSchema } from '@aquifer/wire/gen/envoy/extensions/filters/listener/http_inspector/v3_pb';
import { OriginalDstSchema } from '@aquifer/wire/gen/envoy/extensions/filters/listener/original_dst/v3_pb';
import { TlsInspectorSchema } from '@aquifer/wire/gen/envoy/extensions/filters/listener/tls_inspector/v3_pb';
import { HttpConnectionManagerSchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import { RBACSchema as NetworkRbacSchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/rbac/v3_pb';
import { ConfigSchema as NetworkFilterStateSchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/set_filter_state/v3_pb';
import {
  TcpProxy_WeightedCluster_ClusterWeightSchema,
  TcpProxy_WeightedClusterSchema,
  TcpProxySchema,
} from '@aquifer/wire/gen/envoy/extensions/filters/network/tcp_proxy/v3_pb';
import {
  ApplicationProtocolInputSchema,
  DestinationIPInputSchema,
  DestinationPortInputSchema,
} from '@aquifer/wire/gen/envoy/extensions/matching/common_inputs/network/v3_pb';
import { HashPolicy_SourceIpSchema, HashPolicySchema } from '@aquifer/wire/gen/envoy/type/v3_pb';
import { MetricConfigSchema, PluginConfigSchema } from '@aquifer/wire/gen/istio/stats_pb';
import {
  CidrRangeSchema as XdsCidrRangeSchema,
  TypedExtensionConfigSchema as XdsExtensionSchema,
} from '@aquifer/wire/gen/xds/core/v3_pb';
import {
  IPMatcher_IPRangeMatcherSchema,
  IPMatcherSchema,
  Matcher_MatcherTree_MatchMapSchema,
  Matcher_MatcherTreeSchema,
  Matcher_OnMatchSchema,
  MatcherSchema,
} from '@aquifer/wire/gen/xds/type/matcher/v3_pb';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import {
  type Capability,
  capabilitiesOf,
  extension,
  HANDLED,
  handled,
  harmless,
  type MessageCapabilities,
  refused,
} from './capability.ts';
import { A_LABEL, DRY_RUN, OF_STATISTICS, ONLY_TLS } from './reasons.ts';

/** Filters of Istio's own that tell about traffic and change nothing of it. */
export const ISTIO_STATS: Readonly<Record<string, Capability>> = {
  [PluginConfigSchema.typeName]: HANDLED,
};

/** What of Istio's metrics is counted in another way than usual. */
const STATS: readonly MessageCapabilities[] = [
  capabilitiesOf(PluginConfigSchema, {
    metrics: HANDLED,
    disable_host_header_fallback: harmless('services are known without the host of a request'),
    tcp_reporting_duration: harmless('bytes are counted as they pass'),
    reporter: harmless('a waypoint knows what it is'),
  }),
  capabilitiesOf(MetricConfigSchema, handled('name', 'drop', 'dimensions', 'tags_to_remove')),
];

/** From the destination of a connection to its filter chain. */
const MATCHERS: readonly MessageCapabilities[] = [
  capabilitiesOf(MatcherSchema, handled('matcher_tree', 'on_no_match')),
  capabilitiesOf(Matcher_OnMatchSchema, handled('matcher', 'action')),
  capabilitiesOf(Matcher_MatcherTreeSchema, handled('input', 'exact_match_map', 'custom_match')),
  capabilitiesOf(Matcher_MatcherTree_MatchMapSchema, handled('map')),
  capabilitiesOf(XdsExtensionSchema, {
    name: harmless(A_LABEL),
    typed_config: extension({
      [DestinationIPInputSchema.typeName]: HANDLED,
      [DestinationPortInputSchema.typeName]: HANDLED,
      [ApplicationProtocolInputSchema.typeName]: HANDLED,
      [IPMatcherSchema.typeName]: HANDLED,
      [StringValueSchema.typeName]: HANDLED,
    }),
  }),
  capabilitiesOf(DestinationIPInputSchema, {}),
  capabilitiesOf(DestinationPortInputSchema, {}),
  capabilitiesOf(ApplicationProtocolInputSchema, {}),
  capabilitiesOf(IPMatcherSchema, handled('range_matchers')),
  capabilitiesOf(IPMatcher_IPRangeMatcherSchema, handled('ranges', 'on_match')),
  capabilitiesOf(XdsCidrRangeSchema, handled('address_prefix', 'prefix_len')),
];

/** Filters of connections. */
const NETWORK_FILTERS: readonly MessageCapabilities[] = [
  capabilitiesOf(FilterSchema, {
    name: harmless(A_LABEL),
    typed_config: extension({
      [HttpConnectionManagerSchema.typeName]: HANDLED,
      [TcpProxySchema.typeName]: HANDLED,
      [NetworkRbacSchema.typeName]: HANDLED,
      [NetworkFilterStateSchema.typeName]: HANDLED,
      'envoy.tcp.metadataexchange.config.MetadataExchange': harmless(
        'tells peers about each other where both are sidecars; the mesh does it in tunnels',
      ),
      ...ISTIO_STATS,
    }),
  }),
  capabilitiesOf(TcpProxySchema, {
    ...handled('cluster', 'weighted_clusters', 'access_log', 'idle_timeout'),
    ...handled('max_downstream_connection_duration', 'hash_policy'),
    stat_prefix: harmless(OF_STATISTICS),
    tunneling_config: refused('tunnels are opened to endpoints that ask for them, not by a filter'),
  }),
  capabilitiesOf(HashPolicySchema, {
    source_ip: HANDLED,
    filter_state: refused('no filter sets any'),
  }),
  capabilitiesOf(HashPolicy_SourceIpSchema, {}),
  capabilitiesOf(TcpProxy_WeightedClusterSchema, handled('clusters')),
  capabilitiesOf(TcpProxy_WeightedCluster_ClusterWeightSchema, handled('name', 'weight')),
  capabilitiesOf(NetworkRbacSchema, {
    rules: HANDLED,
    shadow_rules: harmless(DRY_RUN),
    stat_prefix: harmless(OF_STATISTICS),
    shadow_rules_stat_prefix: harmless(OF_STATISTICS),
  }),
  capabilitiesOf(NetworkFilterStateSchema, handled('on_new_connection')),
  capabilitiesOf(FilterStateValueSchema, {
    object_key: HANDLED,
    format_string: harmless('what may be set is known here without being set'),
    factory_key: harmless('what may be set is known here without being set'),
    shared_with_upstream: harmless('what may be set is known here without being set'),
  }),
];

/** Listeners, and from where they take connections to what. */
export const LISTENERS: readonly MessageCapabilities[] = [
  ...STATS,
  capabilitiesOf(ListenerSchema, {
    ...handled('name', 'address', 'filter_chains', 'filter_chain_matcher', 'internal_listener'),
    ...handled('listener_filters'),
    use_original_dst: refused('connections that are redirected come by way of the node proxy'),
    listener_filters_timeout: refused('an undeclared port is listened to for a second'),
    continue_on_listener_filters_timeout: harmless('it is what happens in any case'),
    traffic_direction: harmless(OF_STATISTICS),
    api_listener: refused('it is for gRPC clients, which are no proxies'),
    connection_balance_config: harmless('the kernel spreads connections over threads'),
    access_log: harmless(
      'filter chains log what they serve; a connection without one is only closed',
    ),
    default_filter_chain: refused('connections that match no filter chain are closed'),
    bind_to_port: refused('a listener with an address binds it, one without does not'),
    enable_reuse_port: harmless('threads share a listener in any case'),
    max_connections_to_accept_per_socket_event: harmless('all connections are served'),
  }),
  capabilitiesOf(Listener_InternalListenerConfigSchema, {}),
  capabilitiesOf(ListenerFilterSchema, {
    name: harmless(A_LABEL),
    typed_config: extension({
      [OriginalDstSchema.typeName]: harmless('a tunnel says where its connections go'),
      [HttpInspectorSchema.typeName]: harmless(
        'ports are listened to where the matcher asks for it',
      ),
      [TlsInspectorSchema.typeName]: harmless('no filter chain can ask for what it finds'),
    }),
    filter_disabled: harmless('ports are listened to where the matcher asks for it'),
  }),
  capabilitiesOf(FilterChainSchema, {
    ...handled('name', 'filters', 'transport_socket'),
    filter_chain_match: refused('filter_chain_matcher of the listener says it here'),
    metadata: harmless('nothing reads it'),
    transport_socket_connect_timeout: harmless(ONLY_TLS),
  }),
  ...MATCHERS,
  ...NETWORK_FILTERS,
];
