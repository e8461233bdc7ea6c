// @generated from the files beside it by test/generate/protobuf.ts
import type { DescFile } from '@bufbuild/protobuf';
import { file_aquifer_node } from './aquifer/node_pb.ts';
import { file_containerd_nri } from './containerd/nri_pb.ts';
import { file_containerd_ttrpc } from './containerd/ttrpc_pb.ts';
import { file_envoy_admin_v3 } from './envoy/admin/v3_pb.ts';
import { file_envoy_config_accesslog_v3 } from './envoy/config/accesslog/v3_pb.ts';
import { file_envoy_config_cluster_v3 } from './envoy/config/cluster/v3_pb.ts';
import { file_envoy_config_core_v3 } from './envoy/config/core/v3_pb.ts';
import { file_envoy_config_endpoint_v3 } from './envoy/config/endpoint/v3_pb.ts';
import { file_envoy_config_listener_v3 } from './envoy/config/listener/v3_pb.ts';
import { file_envoy_config_rbac_v3 } from './envoy/config/rbac/v3_pb.ts';
import { file_envoy_config_route_v3 } from './envoy/config/route/v3_pb.ts';
import { file_envoy_config_trace_v3 } from './envoy/config/trace/v3_pb.ts';
import { file_envoy_extensions_access_loggers_file_v3 } from './envoy/extensions/access_loggers/file/v3_pb.ts';
import { file_envoy_extensions_access_loggers_filters_cel_v3 } from './envoy/extensions/access_loggers/filters/cel/v3_pb.ts';
import { file_envoy_extensions_access_loggers_grpc_v3 } from './envoy/extensions/access_loggers/grpc/v3_pb.ts';
import { file_envoy_extensions_access_loggers_open_telemetry_v3 } from './envoy/extensions/access_loggers/open_telemetry/v3_pb.ts';
import { file_envoy_extensions_clusters_dynamic_forward_proxy_v3 } from './envoy/extensions/clusters/dynamic_forward_proxy/v3_pb.ts';
import { file_envoy_extensions_common_dynamic_forward_proxy_v3 } from './envoy/extensions/common/dynamic_forward_proxy/v3_pb.ts';
import { file_envoy_extensions_filters_common_fault_v3 } from './envoy/extensions/filters/common/fault/v3_pb.ts';
import { file_envoy_extensions_filters_common_set_filter_state_v3 } from './envoy/extensions/filters/common/set_filter_state/v3_pb.ts';
import { file_envoy_extensions_filters_http_cors_v3 } from './envoy/extensions/filters/http/cors/v3_pb.ts';
import { file_envoy_extensions_filters_http_dynamic_forward_proxy_v3 } from './envoy/extensions/filters/http/dynamic_forward_proxy/v3_pb.ts';
import { file_envoy_extensions_filters_http_ext_authz_v3 } from './envoy/extensions/filters/http/ext_authz/v3_pb.ts';
import { file_envoy_extensions_filters_http_fault_v3 } from './envoy/extensions/filters/http/fault/v3_pb.ts';
import { file_envoy_extensions_filters_http_grpc_stats_v3 } from './envoy/extensions/filters/http/grpc_stats/v3_pb.ts';
import { file_envoy_extensions_filters_http_jwt_authn_v3 } from './envoy/extensions/filters/http/jwt_authn/v3_pb.ts';
import { file_envoy_extensions_filters_http_local_ratelimit_v3 } from './envoy/extensions/filters/http/local_ratelimit/v3_pb.ts';
import { file_envoy_extensions_filters_http_rbac_v3 } from './envoy/extensions/filters/http/rbac/v3_pb.ts';
import { file_envoy_extensions_filters_http_router_v3 } from './envoy/extensions/filters/http/router/v3_pb.ts';
import { file_envoy_extensions_filters_http_set_filter_state_v3 } from './envoy/extensions/filters/http/set_filter_state/v3_pb.ts';
import { file_envoy_extensions_filters_listener_http_inspector_v3 } from './envoy/extensions/filters/listener/http_inspector/v3_pb.ts';
import { file_envoy_extensions_filters_listener_original_dst_v3 } from './envoy/extensions/filters/listener/original_dst/v3_pb.ts';
import { file_envoy_extensions_filters_listener_tls_inspector_v3 } from './envoy/extensions/filters/listener/tls_inspector/v3_pb.ts';
import { file_envoy_extensions_filters_network_http_connection_manager_v3 } from './envoy/extensions/filters/network/http_connection_manager/v3_pb.ts';
import { file_envoy_extensions_filters_network_rbac_v3 } from './envoy/extensions/filters/network/rbac/v3_pb.ts';
import { file_envoy_extensions_filters_network_set_filter_state_v3 } from './envoy/extensions/filters/network/set_filter_state/v3_pb.ts';
import { file_envoy_extensions_filters_network_tcp_proxy_v3 } from './envoy/extensions/filters/network/tcp_proxy/v3_pb.ts';
import { file_envoy_extensions_formatter_req_without_query_v3 } from './envoy/extensions/formatter/req_without_query/v3_pb.ts';
import { file_envoy_extensions_matching_common_inputs_network_v3 } from './envoy/extensions/matching/common_inputs/network/v3_pb.ts';
import { file_envoy_extensions_network_dns_resolver_cares_v3 } from './envoy/extensions/network/dns_resolver/cares/v3_pb.ts';
import { file_envoy_extensions_path_match_uri_template_v3 } from './envoy/extensions/path/match/uri_template/v3_pb.ts';
import { file_envoy_extensions_request_id_uuid_v3 } from './envoy/extensions/request_id/uuid/v3_pb.ts';
import { file_envoy_extensions_retry_host_previous_hosts_v3 } from './envoy/extensions/retry/host/previous_hosts/v3_pb.ts';
import { file_envoy_extensions_retry_priority_previous_priorities_v3 } from './envoy/extensions/retry/priority/previous_priorities/v3_pb.ts';
import { file_envoy_extensions_tracers_opentelemetry_resource_detectors_v3 } from './envoy/extensions/tracers/opentelemetry/resource_detectors/v3_pb.ts';
import { file_envoy_extensions_transport_sockets_internal_upstream_v3 } from './envoy/extensions/transport_sockets/internal_upstream/v3_pb.ts';
import { file_envoy_extensions_transport_sockets_proxy_protocol_v3 } from './envoy/extensions/transport_sockets/proxy_protocol/v3_pb.ts';
import { file_envoy_extensions_transport_sockets_raw_buffer_v3 } from './envoy/extensions/transport_sockets/raw_buffer/v3_pb.ts';
import { file_envoy_extensions_transport_sockets_tls_v3 } from './envoy/extensions/transport_sockets/tls/v3_pb.ts';
import { file_envoy_extensions_upstreams_http_v3 } from './envoy/extensions/upstreams/http/v3_pb.ts';
import { file_envoy_service_auth_v3 } from './envoy/service/auth/v3_pb.ts';
import { file_envoy_service_discovery_v3 } from './envoy/service/discovery/v3_pb.ts';
import { file_envoy_service_status_v3 } from './envoy/service/status/v3_pb.ts';
import { file_envoy_type_matcher_v3 } from './envoy/type/matcher/v3_pb.ts';
import { file_envoy_type_metadata_v3 } from './envoy/type/metadata/v3_pb.ts';
import { file_envoy_type_tracing_v3 } from './envoy/type/tracing/v3_pb.ts';
import { file_envoy_type_v3 } from './envoy/type/v3_pb.ts';
import { file_google_rpc } from './google/rpc_pb.ts';
import { file_istio_ca } from './istio/ca_pb.ts';
import { file_istio_security } from './istio/security_pb.ts';
import { file_istio_stats } from './istio/stats_pb.ts';
import { file_istio_workload } from './istio/workload_pb.ts';
import { file_istio_zds } from './istio/zds_pb.ts';
import { file_opentelemetry_proto_collector_logs_v1 } from './opentelemetry/proto/collector/logs/v1_pb.ts';
import { file_opentelemetry_proto_collector_trace_v1 } from './opentelemetry/proto/collector/trace/v1_pb.ts';
import { file_opentelemetry_proto_common_v1 } from './opentelemetry/proto/common/v1_pb.ts';
import { file_opentelemetry_proto_logs_v1 } from './opentelemetry/proto/logs/v1_pb.ts';
import { file_opentelemetry_proto_resource_v1 } from './opentelemetry/proto/resource/v1_pb.ts';
import { file_opentelemetry_proto_trace_v1 } from './opentelemetry/proto/trace/v1_pb.ts';
import { file_udpa_type_v1 } from './udpa/type/v1_pb.ts';
import { file_xds_core_v3 } from './xds/core/v3_pb.ts';
import { file_xds_type_matcher_v3 } from './xds/type/matcher/v3_pb.ts';

/** Every file of this folder. */
export const ALL_FILES: readonly DescFile[] = [
  file_aquifer_node,
  file_containerd_nri,
  file_containerd_ttrpc,
  file_envoy_admin_v3,
  file_envoy_config_accesslog_v3,
  file_envoy_config_cluster_v3,
  file_envoy_config_core_v3,
  file_envoy_config_endpoint_v3,
  file_envoy_config_listener_v3,
  file_envoy_config_rbac_v3,
  file_envoy_config_route_v3,
  file_envoy_config_trace_v3,
  file_envoy_extensions_access_loggers_file_v3,
  file_envoy_extensions_access_loggers_filters_cel_v3,
  file_envoy_extensions_access_loggers_grpc_v3,
  file_envoy_extensions_access_loggers_open_telemetry_v3,
  file_envoy_extensions_clusters_dynamic_forward_proxy_v3,
  file_envoy_extensions_common_dynamic_forward_proxy_v3,
  file_envoy_extensions_filters_common_fault_v3,
  file_envoy_extensions_filters_common_set_filter_state_v3,
  file_envoy_extensions_filters_http_cors_v3,
  file_envoy_extensions_filters_http_dynamic_forward_proxy_v3,
  file_envoy_extensions_filters_http_ext_authz_v3,
  file_envoy_extensions_filters_http_fault_v3,
  file_envoy_extensions_filters_http_grpc_stats_v3,
  file_envoy_extensions_filters_http_jwt_authn_v3,
  file_envoy_extensions_filters_http_local_ratelimit_v3,
  file_envoy_extensions_filters_http_rbac_v3,
  file_envoy_extensions_filters_http_router_v3,
  file_envoy_extensions_filters_http_set_filter_state_v3,
  file_envoy_extensions_filters_listener_http_inspector_v3,
  file_envoy_extensions_filters_listener_original_dst_v3,
  file_envoy_extensions_filters_listener_tls_inspector_v3,
  file_envoy_extensions_filters_network_http_connection_manager_v3,
  file_envoy_extensions_filters_network_rbac_v3,
  file_envoy_extensions_filters_network_set_filter_state_v3,
  file_envoy_extensions_filters_network_tcp_proxy_v3,
  file_envoy_extensions_formatter_req_without_query_v3,
  file_envoy_extensions_matching_common_inputs_network_v3,
  file_envoy_extensions_network_dns_resolver_cares_v3,
  file_envoy_extensions_path_match_uri_template_v3,
  file_envoy_extensions_request_id_uuid_v3,
  file_envoy_extensions_retry_host_previous_hosts_v3,
  file_envoy_extensions_retry_priority_previous_priorities_v3,
  file_envoy_extensions_tracers_opentelemetry_resource_detectors_v3,
  file_envoy_extensions_transport_sockets_internal_upstream_v3,
  file_envoy_extensions_transport_sockets_proxy_protocol_v3,
  file_envoy_extensions_transport_sockets_raw_buffer_v3,
  file_envoy_extensions_transport_sockets_tls_v3,
  file_envoy_extensions_upstreams_http_v3,
  file_envoy_service_auth_v3,
  file_envoy_service_discovery_v3,
  file_envoy_service_status_v3,
  file_envoy_type_matcher_v3,
  file_envoy_type_metadata_v3,
  file_envoy_type_tracing_v3,
  file_envoy_type_v3,
  file_google_rpc,
  file_istio_ca,
  file_istio_security,
  file_istio_stats,
  file_istio_workload,
  file_istio_zds,
  file_opentelemetry_proto_collector_logs_v1,
  file_opentelemetry_proto_collector_trace_v1,
  file_opentelemetry_proto_common_v1,
  file_opentelemetry_proto_logs_v1,
  file_opentelemetry_proto_resource_v1,
  file_opentelemetry_proto_trace_v1,
  file_udpa_type_v1,
  file_xds_core_v3,
  file_xds_type_matcher_v3,
];
