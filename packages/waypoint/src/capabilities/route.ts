import {
  DecoratorSchema,
  DirectResponseActionSchema,
  HeaderMatcherSchema,
  QueryParameterMatcherSchema,
  RedirectActionSchema,
  RetryPolicy_RetryBackOffSchema,
  RetryPolicy_RetryHostPredicateSchema,
  RetryPolicy_RetryPrioritySchema,
  RetryPolicySchema,
  RouteAction_HashPolicy_ConnectionPropertiesSchema,
  RouteAction_HashPolicy_CookieAttributeSchema,
  RouteAction_HashPolicy_CookieSchema,
  RouteAction_HashPolicy_HeaderSchema,
  RouteAction_HashPolicy_QueryParameterSchema,
  RouteAction_HashPolicySchema,
  RouteAction_RequestMirrorPolicySchema,
  RouteActionSchema,
  RouteConfigurationSchema,
  RouteMatchSchema,
  RouteSchema,
  VirtualHostSchema,
  WeightedCluster_ClusterWeightSchema,
  WeightedClusterSchema,
} from '@aquifer/wire/gen/envoy/config/route/v3_pb';
import { PreviousHostsPredicateSchema } from '@aquifer/wire/gen/envoy/extensions/retry/host/previous_hosts/v3_pb';
import { PreviousPrioritiesConfigSchema } from '@aquifer/wire/gen/envoy/extensions/retry/priority/previous_priorities/v3_pb';
import {
  capabilitiesOf,
  extension,
  HANDLED,
  handled,
  harmless,
  type MessageCapabilities,
  refused,
} from './capability.ts';
import { ROUTE_FILTERS } from './filters.ts';
import { A_LABEL } from './reasons.ts';

/** By what a host is chosen, first and again: belongs to the balancers of clusters. */
const HOST_CHOICE: readonly MessageCapabilities[] = [
  capabilitiesOf(RouteAction_HashPolicySchema, {
    ...handled('header', 'cookie', 'connection_properties', 'query_parameter', 'terminal'),
    filter_state: refused('no filter sets any'),
  }),
  capabilitiesOf(RouteAction_HashPolicy_HeaderSchema, {
    header_name: HANDLED,
    regex_rewrite: refused('the value is hashed as it came'),
  }),
  capabilitiesOf(RouteAction_HashPolicy_CookieSchema, handled('name', 'ttl', 'path', 'attributes')),
  capabilitiesOf(RouteAction_HashPolicy_CookieAttributeSchema, handled('name', 'value')),
  capabilitiesOf(RouteAction_HashPolicy_ConnectionPropertiesSchema, handled('source_ip')),
  capabilitiesOf(RouteAction_HashPolicy_QueryParameterSchema, handled('name')),
  capabilitiesOf(RetryPolicy_RetryPrioritySchema, {
    name: harmless(A_LABEL),
    typed_config: extension({ [PreviousPrioritiesConfigSchema.typeName]: HANDLED }),
  }),
  capabilitiesOf(PreviousPrioritiesConfigSchema, handled('update_frequency')),
];

const HOST_CHOICE_FIELDS = {
  ofRoute: handled('hash_policy'),
  ofRetries: handled('retry_priority'),
};

const HEADER_CHANGES = handled(
  'request_headers_to_add',
  'request_headers_to_remove',
  'response_headers_to_add',
  'response_headers_to_remove',
);

/** Routes. */
export const ROUTES: readonly MessageCapabilities[] = [
  capabilitiesOf(RouteConfigurationSchema, {
    ...handled('name', 'virtual_hosts', 'ignore_port_in_host_matching'),
    validate_clusters: harmless('a route to a cluster that is not there answers as it says'),
    max_direct_response_body_size_bytes: harmless('bodies of any length are answered'),
  }),
  capabilitiesOf(VirtualHostSchema, {
    ...handled('domains', 'routes', 'include_request_attempt_count'),
    name: harmless('nothing is said by it'),
    require_tls: refused('whether a request came by TLS is not asked'),
  }),
  capabilitiesOf(RouteSchema, {
    ...handled('name', 'match', 'route', 'redirect', 'direct_response'),
    ...HEADER_CHANGES,
    typed_per_filter_config: extension(ROUTE_FILTERS),
    metadata: harmless('nothing reads it'),
    decorator: HANDLED,
  }),
  capabilitiesOf(DecoratorSchema, handled('operation')),
  capabilitiesOf(RouteMatchSchema, {
    ...handled('prefix', 'path', 'safe_regex', 'path_separated_prefix', 'case_sensitive'),
    ...handled('headers', 'query_parameters'),
    connect_matcher: refused('CONNECT is only taken from node proxies'),
  }),
  capabilitiesOf(
    HeaderMatcherSchema,
    handled(
      'name',
      'present_match',
      'string_match',
      'invert_match',
      'treat_missing_header_as_empty',
    ),
  ),
  capabilitiesOf(QueryParameterMatcherSchema, handled('name', 'string_match', 'present_match')),
  capabilitiesOf(RouteActionSchema, {
    ...handled('cluster', 'weighted_clusters', 'cluster_not_found_response_code'),
    ...handled('prefix_rewrite', 'regex_rewrite', 'host_rewrite_literal'),
    ...handled('timeout', 'max_grpc_timeout', 'retry_policy'),
    ...handled('request_mirror_policies'),
    ...HOST_CHOICE_FIELDS.ofRoute,
    max_stream_duration: refused('timeout says how long an answer may take'),
    priority: refused('requests have no priority'),
    upgrade_configs: refused('upgrades are for the connection manager to allow'),
  }),
  capabilitiesOf(WeightedClusterSchema, handled('clusters')),
  capabilitiesOf(WeightedCluster_ClusterWeightSchema, {
    ...handled('name', 'weight', 'host_rewrite_literal'),
    ...HEADER_CHANGES,
  }),
  capabilitiesOf(RouteAction_RequestMirrorPolicySchema, {
    ...handled('cluster', 'runtime_fraction', 'disable_shadow_host_suffix_append'),
    trace_sampled: harmless('of a copy nothing is told here'),
  }),
  capabilitiesOf(
    RedirectActionSchema,
    handled(
      'host_redirect',
      'path_redirect',
      'prefix_rewrite',
      'regex_rewrite',
      'response_code',
      'scheme_redirect',
      'port_redirect',
    ),
  ),
  capabilitiesOf(DirectResponseActionSchema, handled('status', 'body')),
  capabilitiesOf(RetryPolicySchema, {
    ...handled('retry_on', 'num_retries', 'per_try_timeout', 'retriable_status_codes'),
    ...handled('retry_back_off', 'retry_host_predicate', 'host_selection_retry_max_attempts'),
    ...HOST_CHOICE_FIELDS.ofRetries,
  }),
  capabilitiesOf(RetryPolicy_RetryBackOffSchema, handled('base_interval')),
  capabilitiesOf(RetryPolicy_RetryHostPredicateSchema, {
    name: harmless(A_LABEL),
    typed_config: extension({ [PreviousHostsPredicateSchema.typeName]: HANDLED }),
  }),
  capabilitiesOf(PreviousHostsPredicateSchema, {}),
  ...HOST_CHOICE,
];
