import {
  CircuitBreakers_Thresholds_RetryBudgetSchema,
  CircuitBreakers_ThresholdsSchema,
  CircuitBreakersSchema,
  Cluster_CommonLbConfig_ConsistentHashingLbConfigSchema,
  Cluster_CommonLbConfig_LocalityWeightedLbConfigSchema,
  Cluster_CommonLbConfig_ZoneAwareLbConfigSchema,
  Cluster_CommonLbConfigSchema,
  Cluster_CustomClusterTypeSchema,
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
  UpstreamHttpProtocolOptionsSchema,
} from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import { ClusterConfigSchema as NamedClusterSchema } from '@aquifer/wire/gen/envoy/extensions/clusters/dynamic_forward_proxy/v3_pb';
import { DnsCacheConfigSchema } from '@aquifer/wire/gen/envoy/extensions/common/dynamic_forward_proxy/v3_pb';
import { InternalUpstreamTransportSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/internal_upstream/v3_pb';
import { ProxyProtocolUpstreamTransportSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/proxy_protocol/v3_pb';
import { RawBufferSchema } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/raw_buffer/v3_pb';
import {
  CertificateValidationContextSchema,
  CommonTlsContext_CombinedCertificateValidationContextSchema,
  CommonTlsContextSchema,
  DownstreamTlsContextSchema,
  SdsSecretConfigSchema,
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
import { A_LABEL, OF_STATISTICS } from './reasons.ts';

const NO_ZONE = 'says something only of a cluster that has this proxy as an endpoint';

/** How hosts are chosen and spared: circuit breakers, outlier detection, balancers. */
const BALANCING: readonly MessageCapabilities[] = [
  capabilitiesOf(CircuitBreakersSchema, {
    thresholds: HANDLED,
    per_host_thresholds: refused('limits are of clusters, not of hosts'),
  }),
  capabilitiesOf(CircuitBreakers_ThresholdsSchema, {
    ...handled('priority', 'max_connections', 'max_pending_requests', 'max_requests'),
    ...handled('max_retries', 'retry_budget'),
    track_remaining: harmless(OF_STATISTICS),
    max_connection_pools: refused('pools have no bound of their own'),
  }),
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
      'success_rate_minimum_hosts',
      'success_rate_request_volume',
      'success_rate_stdev_factor',
      'consecutive_gateway_failure',
      'enforcing_consecutive_gateway_failure',
      'split_external_local_origin_errors',
      'consecutive_local_origin_failure',
      'enforcing_consecutive_local_origin_failure',
      'enforcing_local_origin_success_rate',
      'failure_percentage_threshold',
      'enforcing_failure_percentage',
      'enforcing_failure_percentage_local_origin',
      'failure_percentage_minimum_hosts',
      'failure_percentage_request_volume',
      'max_ejection_time',
      'max_ejection_time_jitter',
      'always_eject_one_host',
    ),
  ),
  capabilitiesOf(
    Cluster_SlowStartConfigSchema,
    handled('slow_start_window', 'aggression', 'min_weight_percent'),
  ),
  capabilitiesOf(Cluster_RoundRobinLbConfigSchema, handled('slow_start_config')),
  capabilitiesOf(
    Cluster_LeastRequestLbConfigSchema,
    handled('choice_count', 'active_request_bias', 'slow_start_config'),
  ),
  capabilitiesOf(
    Cluster_RingHashLbConfigSchema,
    handled('minimum_ring_size', 'maximum_ring_size', 'hash_function'),
  ),
  capabilitiesOf(Cluster_MaglevLbConfigSchema, handled('table_size')),
  capabilitiesOf(Cluster_CommonLbConfigSchema, {
    ...handled('healthy_panic_threshold', 'locality_weighted_lb_config'),
    ...handled('zone_aware_lb_config', 'consistent_hashing_lb_config'),
    update_merge_window: harmless('updates of endpoints are applied as they come'),
    ignore_new_hosts_until_first_hc: refused('no health checks are made'),
    close_connections_on_host_set_change: refused('connections stay while their host does'),
  }),
  capabilitiesOf(Cluster_CommonLbConfig_LocalityWeightedLbConfigSchema, {}),
  capabilitiesOf(Cluster_CommonLbConfig_ZoneAwareLbConfigSchema, {
    routing_enabled: harmless(NO_ZONE),
    min_cluster_size: harmless(NO_ZONE),
    fail_traffic_on_panic: refused('in a panic all hosts are chosen from'),
  }),
  capabilitiesOf(Cluster_CommonLbConfig_ConsistentHashingLbConfigSchema, {
    use_hostname_for_hashing: refused('hosts are hashed by their addresses'),
    hash_balance_factor: refused('a host has what is hashed to it, however much that is'),
  }),
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
  'max_requests_per_connection',
);

/** TLS towards endpoints. */
const TLS: readonly MessageCapabilities[] = [
  capabilitiesOf(UpstreamTlsContextSchema, handled('common_tls_context', 'sni')),
  capabilitiesOf(CommonTlsContextSchema, {
    tls_params: harmless('TLS 1.2 and 1.3 are spoken'),
    ...handled('alpn_protocols', 'tls_certificate_sds_secret_configs'),
    ...handled('validation_context', 'combined_validation_context'),
    tls_certificate_provider_instance: refused('it is for gRPC clients, which are no proxies'),
  }),
  capabilitiesOf(
    DownstreamTlsContextSchema,
    handled('common_tls_context', 'require_client_certificate'),
  ),
  capabilitiesOf(
    CommonTlsContext_CombinedCertificateValidationContextSchema,
    handled('default_validation_context', 'validation_context_sds_secret_config'),
  ),
  capabilitiesOf(CertificateValidationContextSchema, {
    trusted_ca: HANDLED,
    crl: refused('certificates are not looked up in it'),
    match_subject_alt_names: HANDLED,
    match_typed_subject_alt_names: refused('match_subject_alt_names says it here'),
    ca_certificate_provider_instance: refused('it is for gRPC clients, which are no proxies'),
  }),
  capabilitiesOf(SdsSecretConfigSchema, {
    name: HANDLED,
    sds_config: harmless('secrets are files, which their names say'),
  }),
  capabilitiesOf(UpstreamHttpProtocolOptionsSchema, handled('auto_sni', 'auto_san_validation')),
];

/** Clusters: how endpoints are reached, and in which HTTP. */
export const CLUSTERS: readonly MessageCapabilities[] = [
  capabilitiesOf(ClusterSchema, {
    ...handled('name', 'type', 'cluster_type', 'eds_cluster_config', 'load_assignment'),
    ...BALANCING_FIELDS,
    ...handled('transport_socket', 'transport_socket_matches', 'filters'),
    typed_extension_protocol_options: extension({ [HttpProtocolOptionsSchema.typeName]: HANDLED }),
    ...handled('dns_refresh_rate', 'dns_lookup_family', 'respect_dns_ttl'),
    dns_jitter: harmless('names are looked up when each of them has to be'),
    typed_dns_resolver_config: harmless('names are looked up as the system is set up to'),
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
  capabilitiesOf(Cluster_CustomClusterTypeSchema, {
    name: harmless(A_LABEL),
    typed_config: extension({ [NamedClusterSchema.typeName]: HANDLED }),
  }),
  capabilitiesOf(NamedClusterSchema, handled('dns_cache_config')),
  capabilitiesOf(DnsCacheConfigSchema, {
    name: harmless(A_LABEL),
    dns_lookup_family: HANDLED,
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
      [UpstreamTlsContextSchema.typeName]: HANDLED,
      [DownstreamTlsContextSchema.typeName]: HANDLED,
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
    upstream_http_protocol_options: HANDLED,
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
    ...handled('idle_timeout', 'max_connection_duration', 'max_requests_per_connection'),
  }),
  capabilitiesOf(Http2ProtocolOptionsSchema, {
    max_concurrent_streams: HANDLED,
    allow_connect: harmless('WebSocket over HTTP/2 is always allowed'),
    connection_keepalive: harmless('a dead connection is noticed by timeouts'),
  }),
  ...BALANCING,
  ...TLS,
];
