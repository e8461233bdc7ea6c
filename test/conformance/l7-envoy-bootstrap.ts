import { accessLog, denying, httpBootstrap } from '../fixtures/static-proxy.ts';

/** One configuration for both proxies: every kind of route, a policy, retries and timeouts. */

/** Istio's format without what differs from run to run. */
export const ACCESS_LOG = accessLog(
  '"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
    '%RESPONSE_CODE_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% ' +
    '"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" ' +
    '%UPSTREAM_CLUSTER_RAW% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n',
);

const toOrigin = { cluster: 'origin', timeout: '0s' };

function setBy(value: string): object {
  return { header: { key: 'x-set-by', value }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' };
}

const ROUTES: readonly object[] = [
  {
    match: { prefix: '/direct' },
    direct_response: { status: 418, body: { inline_string: 'teapot' } },
  },
  { match: { path: '/exact' }, direct_response: { status: 200, body: { inline_string: 'exact' } } },
  {
    match: { path_separated_prefix: '/api' },
    direct_response: { status: 200, body: { inline_string: 'api' } },
  },
  {
    match: { safe_regex: { regex: '/item/[0-9]+' } },
    direct_response: { status: 200, body: { inline_string: 'item' } },
  },
  {
    match: {
      prefix: '/by-header',
      headers: [{ name: 'x-version', string_match: { exact: 'v2' } }],
    },
    direct_response: { status: 200, body: { inline_string: 'v2' } },
  },
  {
    match: {
      prefix: '/by-query',
      query_parameters: [{ name: 'version', string_match: { exact: 'v2' } }],
    },
    direct_response: { status: 200, body: { inline_string: 'query' } },
  },
  {
    match: {
      prefix: '/by-method',
      headers: [{ name: ':method', string_match: { exact: 'POST' } }],
    },
    direct_response: { status: 200, body: { inline_string: 'posted' } },
  },
  {
    match: {
      prefix: '/by-words',
      headers: [{ name: 'x-words', string_match: { prefix: 'grün' } }],
    },
    direct_response: { status: 200, body: { inline_string: 'words' } },
  },
  { match: { prefix: '/moved' }, redirect: { path_redirect: '/new', response_code: 'FOUND' } },
  {
    match: { prefix: '/elsewhere' },
    redirect: {
      host_redirect: 'other.test',
      scheme_redirect: 'https',
      response_code: 'MOVED_PERMANENTLY',
    },
  },
  {
    match: { prefix: '/secure' },
    redirect: { scheme_redirect: 'https', response_code: 'TEMPORARY_REDIRECT' },
  },
  {
    match: { prefix: '/both' },
    route: {
      timeout: '0s',
      weighted_clusters: {
        clusters: [{ name: 'origin', weight: 1, request_headers_to_add: [setBy('backend')] }],
      },
    },
    request_headers_to_add: [setBy('route')],
  },
  { match: { path_separated_prefix: '/old' }, route: { ...toOrigin, prefix_rewrite: '/new' } },
  {
    match: { prefix: '/other-host' },
    route: { ...toOrigin, host_rewrite_literal: 'rewritten.test' },
  },
  {
    match: { prefix: '/headers' },
    route: toOrigin,
    request_headers_to_remove: ['x-drop'],
    request_headers_to_add: [
      { header: { key: 'x-set', value: 'route' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
      { header: { key: 'x-more', value: '1' }, append_action: 'APPEND_IF_EXISTS_OR_ADD' },
      { header: { key: 'x-share', value: '50%%' }, append_action: 'APPEND_IF_EXISTS_OR_ADD' },
    ],
    response_headers_to_add: [
      { header: { key: 'x-added', value: 'yes' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
    ],
    response_headers_to_remove: ['x-origin'],
  },
  {
    match: { prefix: '/nowhere' },
    route: { cluster: 'missing', cluster_not_found_response_code: 'INTERNAL_SERVER_ERROR' },
  },
  {
    match: { prefix: '/retry-reset' },
    route: { ...toOrigin, retry_policy: { retry_on: 'reset,connect-failure', num_retries: 2 } },
  },
  {
    match: { prefix: '/retry' },
    route: {
      ...toOrigin,
      retry_policy: {
        retry_on: 'connect-failure,retriable-status-codes',
        retriable_status_codes: [503],
        num_retries: 2,
      },
    },
  },
  { match: { prefix: '/closed' }, route: { cluster: 'closed', timeout: '0s' } },
  {
    match: { prefix: '/slow-try' },
    route: {
      ...toOrigin,
      retry_policy: { retry_on: '5xx', num_retries: 1, per_try_timeout: '0.2s' },
    },
  },
  { match: { prefix: '/slow' }, route: { cluster: 'origin', timeout: '0.3s' } },
  { match: { prefix: '/' }, route: toOrigin },
];

const DENIED = [
  { url_path: { path: { prefix: '/admin' } } },
  { header: { name: ':method', string_match: { exact: 'DELETE' } } },
  { header: { name: 'x-tenant', string_match: { safe_regex: { regex: 'ev.*' } } } },
  { header: { name: 'x-tenant', string_match: { exact: 'Jürgen' } } },
  { header: { name: 'x-tenant', string_match: { safe_regex: { regex: 'one na.ve' } } } },
  { header: { name: 'x-tenant', string_match: { safe_regex: { regex: 'two na..ve' } } } },
  { header: { name: 'x-tenant', string_match: { safe_regex: { regex: 'three .*ü' } } } },
  { header: { name: 'x-tenant', string_match: { suffix: 'ß', ignore_case: true } } },
];

export function bootstrap(ports: {
  readonly listen: number;
  readonly origin: number;
  readonly closed: number;
}): object {
  const manager = {
    proxy_100_continue: true,
    upgrade_configs: [{ upgrade_type: 'websocket' }],
    access_log: [ACCESS_LOG],
    request_id_extension: {
      typed_config: {
        '@type': 'type.googleapis.com/envoy.extensions.request_id.uuid.v3.UuidRequestIdConfig',
        use_request_id_for_trace_sampling: true,
      },
    },
    http_filters: denying(...DENIED),
  };
  const domains = ['shop.test', '*.shop.test', 'a', '[::1]'];
  return httpBootstrap({ origin: ports.origin, closed: ports.closed }, [
    { port: ports.listen, domains, routes: ROUTES, manager },
  ]);
}
