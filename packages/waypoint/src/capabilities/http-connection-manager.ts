import {
  HttpConnectionManager_TracingSchema,
  HttpConnectionManager_UpgradeConfigSchema,
  HttpConnectionManagerSchema,
  RdsSchema,
  RequestIDExtensionSchema,
} from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import { UuidRequestIdConfigSchema } from '@aquifer/wire/gen/envoy/extensions/request_id/uuid/v3_pb';
import { PercentSchema } from '@aquifer/wire/gen/envoy/type/v3_pb';
import {
  capabilitiesOf,
  extension,
  HANDLED,
  handled,
  harmless,
  type MessageCapabilities,
  refused,
} from './capability.ts';
import { OF_STATISTICS } from './reasons.ts';
import { TRACERS } from './tracers.ts';

const NO_SUCH_HEADER = 'x-forwarded-client-cert of clients is removed, and none is written';

/** How HTTP is served. */
export const CONNECTION_MANAGERS: readonly MessageCapabilities[] = [
  capabilitiesOf(HttpConnectionManagerSchema, {
    ...handled('rds', 'route_config', 'http_filters', 'access_log'),
    ...handled('http_protocol_options', 'http2_protocol_options', 'upgrade_configs'),
    ...handled('normalize_path', 'merge_slashes', 'path_with_escaped_slashes_action'),
    ...handled('server_name', 'proxy_100_continue', 'stream_idle_timeout'),
    ...handled('tracing', 'use_remote_address', 'request_id_extension'),
    stat_prefix: harmless(OF_STATISTICS),
    forward_client_cert_details: refused(NO_SUCH_HEADER),
    set_current_client_cert_details: harmless(NO_SUCH_HEADER),
  }),
  capabilitiesOf(RdsSchema, {
    config_source: harmless('routes come from whoever the listener came from'),
    route_config_name: HANDLED,
  }),
  capabilitiesOf(HttpConnectionManager_UpgradeConfigSchema, handled('upgrade_type')),
  capabilitiesOf(RequestIDExtensionSchema, {
    typed_config: extension({ [UuidRequestIdConfigSchema.typeName]: HANDLED }),
  }),
  capabilitiesOf(UuidRequestIdConfigSchema, handled('use_request_id_for_trace_sampling')),
  capabilitiesOf(HttpConnectionManager_TracingSchema, {
    ...handled('client_sampling', 'random_sampling', 'overall_sampling', 'provider'),
    ...handled('max_path_tag_length', 'custom_tags', 'no_context_propagation'),
  }),
  capabilitiesOf(PercentSchema, handled('value')),
  ...TRACERS,
];
