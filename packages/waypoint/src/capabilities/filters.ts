import {
  GrpcService_EnvoyGrpcSchema,
  GrpcServiceSchema,
  HttpUriSchema,
} from '@aquifer/wire/gen/envoy/config/core/v3_pb';
import {
  Permission_SetSchema,
  PermissionSchema,
  PolicySchema,
  Principal_AuthenticatedSchema,
  Principal_SetSchema,
  PrincipalSchema,
  RBACSchema as RulesSchema,
} from '@aquifer/wire/gen/envoy/config/rbac/v3_pb';
import { FaultDelaySchema } from '@aquifer/wire/gen/envoy/extensions/filters/common/fault/v3_pb';
import {
  CorsPolicySchema,
  CorsSchema,
} from '@aquifer/wire/gen/envoy/extensions/filters/http/cors/v3_pb';
import { FilterConfigSchema as NamedFilterSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/dynamic_forward_proxy/v3_pb';
import {
  AuthorizationRequestSchema,
  AuthorizationResponseSchema,
  BufferSettingsSchema,
  ExtAuthzSchema,
  HttpServiceSchema,
} from '@aquifer/wire/gen/envoy/extensions/filters/http/ext_authz/v3_pb';
import {
  FaultAbortSchema,
  HTTPFaultSchema,
} from '@aquifer/wire/gen/envoy/extensions/filters/http/fault/v3_pb';
import { FilterConfigSchema as GrpcStatsSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/grpc_stats/v3_pb';
import {
  JwtAuthenticationSchema,
  JwtClaimToHeaderSchema,
  JwtHeaderSchema,
  JwtProvider_NormalizePayloadSchema,
  JwtProviderSchema,
  JwtRequirementAndListSchema,
  JwtRequirementOrListSchema,
  JwtRequirementSchema,
  RequirementRuleSchema,
} from '@aquifer/wire/gen/envoy/extensions/filters/http/jwt_authn/v3_pb';
import { LocalRateLimitSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/local_ratelimit/v3_pb';
import { RBACSchema as HttpRbacSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/rbac/v3_pb';
import { RouterSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/router/v3_pb';
import { ConfigSchema as HttpFilterStateSchema } from '@aquifer/wire/gen/envoy/extensions/filters/http/set_filter_state/v3_pb';
import { HttpFilterSchema } from '@aquifer/wire/gen/envoy/extensions/filters/network/http_connection_manager/v3_pb';
import {
  ListMatcherSchema,
  ListStringMatcherSchema,
  MetadataMatcher_PathSegmentSchema,
  MetadataMatcherSchema,
  OrMatcherSchema,
  ValueMatcherSchema,
} from '@aquifer/wire/gen/envoy/type/matcher/v3_pb';
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
import { ISTIO_STATS } from './listener.ts';
import { DRY_RUN, OF_STATISTICS } from './reasons.ts';

/** Configuration of filters that routes may have. */
export const ROUTE_FILTERS: Readonly<Record<string, Capability>> = {
  [CorsPolicySchema.typeName]: HANDLED,
  [HTTPFaultSchema.typeName]: HANDLED,
  [LocalRateLimitSchema.typeName]: HANDLED,
};

/** Of Istio, to learn who is at the other end. */
export const PEER_METADATA: Readonly<Record<string, Capability>> = {
  'io.istio.http.peer_metadata.Config': harmless(
    'tunnels say in baggage who is at their other end',
  ),
};

/** Somebody else who is asked. */
const EXTERNAL: readonly MessageCapabilities[] = [
  capabilitiesOf(ExtAuthzSchema, {
    ...handled('grpc_service', 'http_service', 'failure_mode_allow', 'with_request_body'),
    ...handled('status_on_error', 'filter_enabled_metadata', 'allowed_headers'),
    transport_api_version: harmless('version 3 is the only one'),
  }),
  capabilitiesOf(HttpServiceSchema, {
    ...handled('server_uri', 'path_prefix', 'authorization_request', 'authorization_response'),
  }),
  capabilitiesOf(HttpUriSchema, {
    uri: harmless('the cluster says where it is'),
    ...handled('cluster', 'timeout'),
  }),
  capabilitiesOf(AuthorizationRequestSchema, handled('headers_to_add')),
  capabilitiesOf(
    AuthorizationResponseSchema,
    handled(
      'allowed_upstream_headers',
      'allowed_client_headers',
      'allowed_client_headers_on_success',
    ),
  ),
  capabilitiesOf(BufferSettingsSchema, handled('max_request_bytes', 'allow_partial_message')),
  capabilitiesOf(GrpcServiceSchema, handled('envoy_grpc', 'timeout', 'initial_metadata')),
  capabilitiesOf(GrpcService_EnvoyGrpcSchema, handled('cluster_name', 'authority')),
  capabilitiesOf(ListStringMatcherSchema, handled('patterns')),
];

/** Who may. */
const POLICIES: readonly MessageCapabilities[] = [
  capabilitiesOf(HttpRbacSchema, {
    rules: HANDLED,
    shadow_rules: harmless(`it says whom to ask about what; ${DRY_RUN}`),
    shadow_rules_stat_prefix: harmless('tells what is asked about from a dry run'),
  }),
  ...EXTERNAL,
  capabilitiesOf(RulesSchema, handled('action', 'policies')),
  capabilitiesOf(PolicySchema, handled('permissions', 'principals')),
  capabilitiesOf(
    PermissionSchema,
    handled(
      'and_rules',
      'or_rules',
      'any',
      'header',
      'destination_ip',
      'destination_port',
      'not_rule',
      'requested_server_name',
      'url_path',
      'uri_template',
    ),
  ),
  capabilitiesOf(Permission_SetSchema, handled('rules')),
  capabilitiesOf(PrincipalSchema, {
    ...handled('and_ids', 'or_ids', 'any', 'authenticated', 'header', 'not_id'),
    ...handled('direct_remote_ip', 'remote_ip', 'filter_state', 'metadata'),
  }),
  capabilitiesOf(Principal_SetSchema, handled('ids')),
  capabilitiesOf(Principal_AuthenticatedSchema, handled('principal_name')),
  capabilitiesOf(MetadataMatcherSchema, handled('filter', 'path', 'value')),
  capabilitiesOf(MetadataMatcher_PathSegmentSchema, handled('key')),
  capabilitiesOf(ValueMatcherSchema, handled('string_match', 'list_match', 'or_match')),
  capabilitiesOf(ListMatcherSchema, handled('one_of')),
  capabilitiesOf(OrMatcherSchema, handled('value_matchers')),
];

/** Who says who asks. */
const TOKENS: readonly MessageCapabilities[] = [
  capabilitiesOf(JwtAuthenticationSchema, handled('providers', 'rules', 'bypass_cors_preflight')),
  capabilitiesOf(
    JwtProviderSchema,
    handled(
      'issuer',
      'audiences',
      'local_jwks',
      'forward',
      'from_headers',
      'from_params',
      'from_cookies',
      'forward_payload_header',
      'payload_in_metadata',
      'claim_to_headers',
      'normalize_payload_in_metadata',
    ),
  ),
  capabilitiesOf(JwtProvider_NormalizePayloadSchema, handled('space_delimited_claims')),
  capabilitiesOf(JwtHeaderSchema, handled('name', 'value_prefix')),
  capabilitiesOf(JwtClaimToHeaderSchema, handled('header_name', 'claim_name')),
  capabilitiesOf(RequirementRuleSchema, handled('match', 'requires')),
  capabilitiesOf(
    JwtRequirementSchema,
    handled('provider_name', 'requires_any', 'requires_all', 'allow_missing'),
  ),
  capabilitiesOf(JwtRequirementAndListSchema, handled('requirements')),
  capabilitiesOf(JwtRequirementOrListSchema, handled('requirements')),
];

/** Filters of requests, by their types: the order in which they may stand is fixed. */
export const HTTP_FILTERS: readonly MessageCapabilities[] = [
  capabilitiesOf(HttpFilterSchema, {
    name: HANDLED,
    typed_config: extension({
      [JwtAuthenticationSchema.typeName]: HANDLED,
      [HttpRbacSchema.typeName]: HANDLED,
      [CorsSchema.typeName]: HANDLED,
      [HTTPFaultSchema.typeName]: HANDLED,
      [LocalRateLimitSchema.typeName]: HANDLED,
      [RouterSchema.typeName]: HANDLED,
      [GrpcStatsSchema.typeName]: harmless('gRPC is counted in any case'),
      [NamedFilterSchema.typeName]: harmless('the cluster looks the name of a request up'),
      [ExtAuthzSchema.typeName]: HANDLED,
      [HttpFilterStateSchema.typeName]: refused('what policies compare would change'),
      'istio.envoy.config.filter.http.alpn.v2alpha1.FilterConfig': harmless(
        'chooses between names of TLS that only sidecars know',
      ),
      ...PEER_METADATA,
      ...ISTIO_STATS,
    }),
  }),
  capabilitiesOf(RouterSchema, {}),
  capabilitiesOf(CorsSchema, {}),
  capabilitiesOf(
    CorsPolicySchema,
    handled(
      'allow_origin_string_match',
      'allow_methods',
      'allow_headers',
      'expose_headers',
      'max_age',
      'allow_credentials',
      'filter_enabled',
      'forward_not_matching_preflights',
    ),
  ),
  capabilitiesOf(HTTPFaultSchema, {
    ...handled('delay', 'abort', 'upstream_cluster', 'headers'),
    max_active_faults: refused('faults have no bound'),
  }),
  capabilitiesOf(FaultDelaySchema, handled('fixed_delay', 'percentage')),
  capabilitiesOf(FaultAbortSchema, handled('http_status', 'grpc_status', 'percentage')),
  capabilitiesOf(LocalRateLimitSchema, {
    ...handled('status', 'token_bucket', 'filter_enabled', 'filter_enforced'),
    ...handled('response_headers_to_add', 'rate_limited_as_resource_exhausted'),
    stat_prefix: harmless(OF_STATISTICS),
  }),
  ...TOKENS,
  ...POLICIES,
];
