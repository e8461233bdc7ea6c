import {
  CircuitBreakers_Thresholds_RetryBudgetSchema,
  CircuitBreakers_ThresholdsSchema,
  CircuitBreakersSchema,
  Cluster_CommonLbConfig_LocalityWeightedLbConfigSchema,
  Cluster_CommonLbConfigSchema,
  Cluster_EdsClusterConfigSchema,
  Cluster_LeastRequestLbConfigSchema,
  Cluster_MaglevLbConfigSchema,
  Cluster_RingHashLbConfigSchema,
  Cluster_RoundRobinLbConfigSchema,
  Cluster_SlowStartConfigSchema,
  Cluster_TransportSocketMatchSchema,
  FilterSchema as ClusterFilterSchema,
  ClusterSchema,
  OutlierDetectionSchema,
} from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import {
  HttpProtocolOptionsSchema as CommonHttpOptionsSchema,
  Http2ProtocolOptionsSchema,
  RuntimeDoubleSchema,
  TransportSocketSchema,
} from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { InternalUpstreamTransportSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/internal_upstream/v3_pb';
import { ProxyProtocolUpstreamTransportSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/proxy_protocol/v3_pb';
import { RawBufferSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/raw_buffer/v3_pb';
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from '@aquifer/wire/gen/envoy/extensions/transport_sockets/tls/v3_pb';
import {
  HttpProtocolOptions_ExplicitHttpConfigSchema,
  HttpProtocolOptions_UseDownstreamHttpConfigSchema,
  HttpProtocolOptionsSchema,
} from '@aquifer/wire/gen/envoy/extensions/upstreams/http/v3_pb';
import { PercentSchema } from '@aquifer/wire/gen/envoy/type/v3_pb';
import {
  capabilitiesOf,
  extension,
  HANDLED,
  handled,
  harmless,
  JUDGED,
  type MessageCapabilities,
  refused,
} from './capability.ts';
import { A_LABEL, OF_STATISTICS, ONLY_TLS } from './reasons.ts';

const NOT_RESOLVED = 'is only of clusters by DNS name, which are refused';

/** How hosts are chosen and spared: circuit breakers, outlier detection, balancers. */
const BALANCING: readonly MessageCapabilities[] = [
  capabilitiesOf(CircuitBreakersSchema, handled('thresholds')),
  capabilitiesOf(
    CircuitBreakers_ThresholdsSchema,
    handled(
      'max_connections',
      'max_pending_requests',
      'max_requests',
      'max_retries',
      'retry_budget',
    ),
  ),
  capabilitiesOf(
    CircuitBreakers_Thresholds_RetryBudgetSchema,
    handled('budget_percent', 'min_retry_concurrency'),
  ),
  capabilitiesOf(
    OutlierDetectionSchema,
    handled(
      'consecutive_5xx',
      'interval',
      'base_ejection_time',
      'max_ejection_percent',
      'enforcing_consecutive_5xx',
      'enforcing_success_rate',
      'consecutive_gateway_failure',
      'enforcing_consecutive_gateway_failure',
      'split_external_local_origin_errors',
      'consecutive_local_origin_failure',
      'enforcing_consecutive_local_origin_failure',
      'enforcing_local_origin_success_rate',
    ),
  ),
  capabilitiesOf(
    Cluster_SlowStartConfigSchema,
    handled('slow_start_window', 'aggression', 'min_weight_percent'),
  ),
  capabilitiesOf(Cluster_RoundRobinLbConfigSchema, handled('slow_start_config')),
  capabilitiesOf(Cluster_LeastRequestLbConfigSchema, handled('slow_start_config')),
  capabilitiesOf(Cluster_RingHashLbConfigSchema, handled('minimum_ring_size')),
  capabilitiesOf(Cluster_MaglevLbConfigSchema, handled('table_size')),
  capabilitiesOf(
    Cluster_CommonLbConfigSchema,
    handled('healthy_panic_threshold', 'locality_weighted_lb_config'),
  ),
  capabilitiesOf(Cluster_CommonLbConfig_LocalityWeightedLbConfigSchema, {}),
  capabilitiesOf(PercentSchema, handled('value')),
  capabilitiesOf(RuntimeDoubleSchema, {
    default_value: HANDLED,
    runtime_key: harmless('nothing changes at run time: the default is what holds'),
  }),
];

const BALANCING_FIELDS = handled(
  'lb_policy',
  'circuit_breakers',
  'outlier_detection',
  'ring_hash_lb_config',
  'least_request_lb_config',
  'maglev_lb_config',
  'round_robin_lb_config',
  'common_lb_config',
  'connect_timeout',
);

/** Clusters: how endpoints are reached, and in which HTTP. */
export const CLUSTERS: readonly MessageCapabilities[] = [
  capabilitiesOf(ClusterSchema, {
    ...handled('name', 'type', 'eds_cluster_config', 'load_assignment'),
    ...BALANCING_FIELDS,
    ...handled('transport_socket', 'transport_socket_matches', 'filters'),
    typed_extension_protocol_options: extension({ [HttpProtocolOptionsSchema.typeName]: HANDLED }),
    dns_refresh_rate: harmless(NOT_RESOLVED),
    dns_lookup_family: harmless(NOT_RESOLVED),
    respect_dns_ttl: harmless(NOT_RESOLVED),
    typed_dns_resolver_config: harmless(NOT_RESOLVED),
    cleanup_interval: harmless(
      'hosts of original destinations are forgotten with their connections',
    ),
    upstream_bind_config: refused('connections to endpoints have the address of this proxy'),
    original_dst_lb_config: refused('connections go on to where they were going'),
    metadata: harmless('clusters are counted and logged by their names'),
    alt_stat_name: harmless(OF_STATISTICS),
    upstream_connection_options: harmless(
      'a dead connection is noticed by the timeouts of requests',
    ),
  }),
  capabilitiesOf(Cluster_EdsClusterConfigSchema, {
    eds_config: harmless('endpoints come from whoever the cluster came from'),
    service_name: HANDLED,
  }),
  capabilitiesOf(Cluster_TransportSocketMatchSchema, {
    name: harmless(A_LABEL),
    match: HANDLED,
    transport_socket: JUDGED,
  }),
  capabilitiesOf(ClusterFilterSchema, {
    name: harmless(A_LABEL),
    typed_config: extension({
      'envoy.tcp.metadataexchange.config.MetadataExchange': harmless(
        'tells peers about each other where both are sidecars; the mesh does it in tunnels',
      ),
    }),
  }),
  capabilitiesOf(TransportSocketSchema, {
    name: harmless(A_LABEL),
    typed_config: extension({
      [InternalUpstreamTransportSchema.typeName]: HANDLED,
      [RawBufferSchema.typeName]: HANDLED,
      [UpstreamTlsContextSchema.typeName]: refused(
        'TLS of applications is not begun here; captured endpoints are reached by mTLS in any case',
      ),
      [DownstreamTlsContextSchema.typeName]: refused('TLS of applications is not ended here'),
      [ProxyProtocolUpstreamTransportSchema.typeName]: refused('no PROXY header is written'),
    }),
  }),
  capabilitiesOf(InternalUpstreamTransportSchema, {
    passthrough_metadata: harmless('a tunnel is opened with what is known of the endpoint'),
    transport_socket: HANDLED,
  }),
  capabilitiesOf(RawBufferSchema, {}),
  capabilitiesOf(HttpProtocolOptionsSchema, {
    ...handled(
      'common_http_protocol_options',
      'explicit_http_config',
      'use_downstream_protocol_config',
    ),
    upstream_http_protocol_options: harmless(ONLY_TLS),
  }),
  capabilitiesOf(
    HttpProtocolOptions_ExplicitHttpConfigSchema,
    handled('http_protocol_options', 'http2_protocol_options'),
  ),
  capabilitiesOf(
    HttpProtocolOptions_UseDownstreamHttpConfigSchema,
    handled('http_protocol_options', 'http2_protocol_options'),
  ),
  capabilitiesOf(CommonHttpOptionsSchema, {
    idle_timeout: harmless('idle connections to endpoints end after an hour; nobody waits for one'),
    max_connection_duration: refused('connections to endpoints have no age at which they end'),
    max_requests_per_connection: HANDLED,
  }),
  capabilitiesOf(Http2ProtocolOptionsSchema, {
    max_concurrent_streams: HANDLED,
    allow_connect: harmless('WebSocket over HTTP/2 is always allowed'),
    connection_keepalive: harmless('a dead connection is noticed by timeouts'),
  }),
  ...BALANCING,
];
