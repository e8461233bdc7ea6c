import { readFile } from 'node:fs/promises';
import { ClusterSchema } from '@aquifer/wire/gen/envoy/config/cluster/v3_pb';
import { ListenerSchema } from '@aquifer/wire/gen/envoy/config/listener/v3_pb';
import { file_envoy_extensions_access_loggers_file_v3 } from '@aquifer/wire/gen/envoy/extensions/access_loggers/file/v3_pb';
import { file_envoy_extensions_filters_http_cors_v3 } from '@aquifer/wire/gen/envoy/extensions/filters/http/cors/v3_pb';
import { file_envoy_extensions_filters_http_fault_v3 } from '@aquifer/wire/gen/envoy/extensions/filters/http/fault/v3_pb';
import { file_envoy_extensions_filters_http_grpc_stats_v3 } from '@aquifer/wire/gen/envoy/extensions/filters/http/grpc_stats/v3_pb';
import { file_envoy_extensions_filters_http_local_ratelimit_v3 } from '@aquifer/wire/gen/envoy/extensions/filters/http/local_ratelimit/v3_pb';
import { file_envoy_extensions_filters_http_rbac_v3 } from '@aquifer/wire/gen/envoy/extensions/filters/http/rbac/v3_pb';
import { file_envoy_extensions_filters_http_router_v3 } from '@aquifer/wire/gen/envoy/extensions/filters/http/router/v3_pb';
import { file_envoy_extensions_filters_listener_http_inspector_v3 } from '@aquifer/wire/gen/envoy/extensions/filters/listener/http_inspector/v3_pb';
import { file_envoy_extensions_filters_network_http_connection_manager_v3 } from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import { file_envoy_extensions_filters_network_rbac_v3 } from '@aquifer/wire/gen/envoy/extensions/filters/network/rbac/v3_pb';
import { file_envoy_extensions_filters_network_tcp_proxy_v3 } from '@aquifer/wire/gen/envoy/extensions/filters/network/tcp_proxy/v3_pb';
import { file_envoy_extensions_matching_common_inputs_network_v3 } from '@aquifer/wire/gen/envoy/extensions/matching/common_inputs/network/v3_pb';
import { file_envoy_extensions_path_match_uri_template_v3 } from '@aquifer/wire/gen/envoy/extensions/path/match/uri_template/v3_pb';
import { file_envoy_extensions_request_id_uuid_v3 } from '@aquifer/wire/gen/envoy/extensions/request_id/uuid/v3_pb';
import { file_envoy_extensions_retry_host_previous_hosts_v3 } from '@aquifer/wire/gen/envoy/extensions/retry/host/previous_hosts/v3_pb';
import { file_envoy_extensions_retry_priority_previous_priorities_v3 } from '@aquifer/wire/gen/envoy/extensions/retry/priority/previous_priorities/v3_pb';
import { file_envoy_extensions_transport_sockets_raw_buffer_v3 } from '@aquifer/wire/gen/envoy/extensions/transport_sockets/raw_buffer/v3_pb';
import { file_envoy_extensions_upstreams_http_v3 } from '@aquifer/wire/gen/envoy/extensions/upstreams/http/v3_pb';
import { IPMatcherSchema } from '@aquifer/wire/gen/xds/type/matcher/v3_pb';
import {
  createRegistry,
  type DescMessage,
  fromJson,
  type JsonValue,
  type Registry,
  toBinary,
} from '@bufbuild/protobuf';
import { StringValueSchema } from '@bufbuild/protobuf/wkt';
import type { DataPlane } from './data-plane/data-plane.ts';

/** Types that may stand in an Any of a static configuration. */
export const TYPES: Registry = createRegistry(
  file_envoy_extensions_access_loggers_file_v3,
  file_envoy_extensions_filters_http_cors_v3,
  file_envoy_extensions_filters_http_fault_v3,
  file_envoy_extensions_filters_http_grpc_stats_v3,
  file_envoy_extensions_filters_http_local_ratelimit_v3,
  file_envoy_extensions_filters_http_rbac_v3,
  file_envoy_extensions_filters_http_router_v3,
  file_envoy_extensions_filters_listener_http_inspector_v3,
  file_envoy_extensions_filters_network_http_connection_manager_v3,
  file_envoy_extensions_filters_network_rbac_v3,
  file_envoy_extensions_filters_network_tcp_proxy_v3,
  file_envoy_extensions_matching_common_inputs_network_v3,
  file_envoy_extensions_path_match_uri_template_v3,
  file_envoy_extensions_request_id_uuid_v3,
  file_envoy_extensions_retry_host_previous_hosts_v3,
  file_envoy_extensions_retry_priority_previous_priorities_v3,
  file_envoy_extensions_transport_sockets_raw_buffer_v3,
  file_envoy_extensions_upstreams_http_v3,
  IPMatcherSchema,
  StringValueSchema,
);

interface Bootstrap {
  readonly static_resources?: {
    readonly clusters?: readonly JsonValue[];
    readonly listeners?: readonly JsonValue[];
  };
}

/** Applies the clusters and listeners of an Envoy bootstrap file; throws if any of them cannot be served. */
export async function applyStaticResources(path: string, dataPlane: DataPlane): Promise<void> {
  const { static_resources: resources = {} } = JSON.parse(
    await readFile(path, 'utf8'),
  ) as Bootstrap;
  const rejected = [
    ...dataPlane.apply('cluster', batchOf(ClusterSchema, resources.clusters)),
    ...dataPlane.apply('listener', batchOf(ListenerSchema, resources.listeners)),
  ];
  if (rejected.length === 0) return;
  throw new Error(
    `${path}: ${rejected.map(({ name, reason }) => `${name}: ${reason}`).join('; ')}`,
  );
}

function batchOf(schema: DescMessage, values: readonly JsonValue[] = []) {
  const resources = values.map((value) => {
    const message = fromJson(schema, value, { registry: TYPES, ignoreUnknownFields: true });
    const { name } = message as unknown as { name: string };
    return { name, body: toBinary(schema, message) };
  });
  return { resources, removed: [] };
}
