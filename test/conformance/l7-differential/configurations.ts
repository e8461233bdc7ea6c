import fc from 'fast-check';

/** Which HTTP a client or an origin speaks, as access lines name it. */
export type HttpVersion = 'HTTP/1.1' | 'HTTP/2';

type Json = Readonly<Record<string, unknown>>;

/** Routes of one virtual host. Clusters are named by their kind; a lane has clusters of its own behind these names. */
export interface Configuration {
  readonly routes: readonly Json[];
  /** Whether every route that goes upstream ends what takes too long. */
  readonly hasTimeout: boolean;
}

/**
 * Here, but not in Envoy, a kept connection that ends as it is used again is one that was not made: what retries failures
 * to connect retries it (`docs/conformance/l7.md`).
 */
export function retriesStaleConnections({ routes }: Configuration): boolean {
  const conditions = JSON.stringify(routes).matchAll(/"retry_on":"([^"]*)"/g);
  return [...conditions].some(([, on]) => /^(?=.*connect-failure)(?!.*(^|,)reset)/.test(on!));
}

/** What a listener does with all its requests. */
export interface Manager {
  readonly fields: Json;
  readonly denied: readonly Json[];
}

/** Kinds of clusters: what their endpoints speak. `pair` has two endpoints, nobody listens at `closed`. */
export const CLUSTERS = ['h1', 'h2', 'same', 'pair', 'shadow', 'closed'] as const;
export type ClusterKind = (typeof CLUSTERS)[number];

const FILTERS = 'type.googleapis.com/envoy.extensions.filters.http';
const ALWAYS = { numerator: 100, denominator: 'HUNDRED' };
const NEVER = { numerator: 0, denominator: 'HUNDRED' };

const maybe = <T>(arbitrary: fc.Arbitrary<T>, weight = 1): fc.Arbitrary<T | undefined> =>
  fc.oneof({ weight: 30, arbitrary: fc.constant(undefined) }, { weight: weight * 10, arbitrary });

const stringMatch = fc.constantFrom<Json>(
  { exact: '1' },
  { prefix: '1' },
  { suffix: '2' },
  { safe_regex: { regex: '[12]?' } },
  { exact: 'CLIENT', ignore_case: true },
);

const headerMatch: fc.Arbitrary<Json> = fc.oneof(
  fc
    .tuple(fc.constantFrom('x-v', 'x-set', 'x-text', 'cookie', 'user-agent'), stringMatch)
    .map(([name, match]) => ({ name, string_match: match })),
  fc.constantFrom<Json>(
    { name: 'x-v', present_match: true },
    { name: 'x-v', present_match: false },
    { name: 'x-v', string_match: { exact: '1' }, invert_match: true },
    { name: ':method', string_match: { exact: 'POST' } },
    { name: ':path', string_match: { suffix: 'v=1' } },
    { name: ':path', string_match: { exact: '/a' } },
    { name: ':authority', string_match: { prefix: 'c' } },
    { name: ':scheme', string_match: { exact: 'http' } },
  ),
);

const queryMatch: fc.Arbitrary<Json> = fc.oneof(
  stringMatch.map((match) => ({ name: 'v', string_match: match })),
  fc.constant<Json>({ name: 'v', present_match: true }),
);

const pathMatch: fc.Arbitrary<Json> = fc.constantFrom(
  { prefix: '/' },
  { prefix: '/a' },
  { prefix: '/b/' },
  { path: '/a' },
  { path: '/item/7', case_sensitive: false },
  { prefix: '/A', case_sensitive: false },
  { path_separated_prefix: '/a' },
  { path_separated_prefix: '/b/c' },
  { safe_regex: { regex: '/item/[0-9]+' } },
  { safe_regex: { regex: '/(a|b).*' } },
);

const matches: fc.Arbitrary<Json> = fc
  .tuple(pathMatch, maybe(fc.array(headerMatch, { minLength: 1, maxLength: 2 })), maybe(queryMatch))
  .map(([path, headers, query]) => ({
    ...path,
    ...(headers === undefined ? {} : { headers }),
    ...(query === undefined ? {} : { query_parameters: [query] }),
  }));

const ACTIONS = ['OVERWRITE_IF_EXISTS_OR_ADD', 'APPEND_IF_EXISTS_OR_ADD'] as const;
const added: fc.Arbitrary<Json> = fc
  .tuple(
    fc.constantFrom('x-set', 'x-more', 'x-added'),
    fc.constantFrom('route', 'a%%b', 'gr\u00fcn'),
    fc.constantFrom(...ACTIONS),
  )
  .map(([key, value, append_action]) => ({ header: { key, value }, append_action }));

/** Of a route, a weighted cluster, or a virtual host. */
const mutations: fc.Arbitrary<Json> = fc
  .record(
    {
      request_headers_to_add: fc.array(added, { minLength: 1, maxLength: 2 }),
      request_headers_to_remove: fc.constantFrom(['x-drop'], ['x-set'], ['user-agent', 'x-more']),
      response_headers_to_add: fc.array(added, { minLength: 1, maxLength: 2 }),
      response_headers_to_remove: fc.constantFrom(
        ['x-drop'],
        ['x-set'],
        ['server'],
        ['set-cookie'],
      ),
    },
    { requiredKeys: [] },
  )
  .filter((made) => Object.keys(made).length < 4);

const RETRY_ON = [
  '5xx',
  'gateway-error',
  'reset',
  'connect-failure',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'unavailable,cancelled',
  'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes',
  'reset,5xx',
] as const;

const retryPolicy: fc.Arbitrary<Json> = fc
  .record({
    retry_on: fc.constantFrom(...RETRY_ON),
    num_retries: fc.constantFrom(0, 1, 2),
    per_try_timeout: maybe(fc.constant('0.2s')),
    hasPredicate: fc.boolean(),
  })
  .map(({ hasPredicate, per_try_timeout, ...policy }) => ({
    ...policy,
    retriable_status_codes: [503, 404],
    retry_back_off: { base_interval: '0.001s' },
    ...(per_try_timeout === undefined ? {} : { per_try_timeout }),
    ...(hasPredicate
      ? {
          retry_host_predicate: [
            {
              name: 'envoy.retry_host_predicates.previous_hosts',
              typed_config: {
                '@type':
                  'type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate',
              },
            },
          ],
          host_selection_retry_max_attempts: '5',
        }
      : {}),
  }));

const weights = fc.constantFrom([100, 0], [0, 100]);
const clusterNames = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('h1', 'h2', 'same') },
  { weight: 2, arbitrary: fc.constant('pair') },
  { weight: 1, arbitrary: fc.constantFrom('closed', 'missing') },
);

const destination: fc.Arbitrary<Json> = fc.oneof(
  { weight: 3, arbitrary: clusterNames.map((cluster) => ({ cluster })) },
  {
    weight: 1,
    arbitrary: fc
      .tuple(
        weights,
        fc.constantFrom('h1', 'h2', 'same'),
        mutations,
        maybe(fc.constant('by-cluster.test')),
      )
      .map(([[first, second], other, changes, host_rewrite_literal]) => ({
        weighted_clusters: {
          clusters: [
            { name: 'h1', weight: first, ...changes },
            {
              name: other,
              weight: second,
              ...changes,
              ...(host_rewrite_literal === undefined ? {} : { host_rewrite_literal }),
            },
          ],
        },
      })),
  },
);

const rewrite: fc.Arbitrary<Json> = fc.constantFrom(
  { prefix_rewrite: '/new' },
  { prefix_rewrite: '/' },
  { regex_rewrite: { pattern: { regex: '/(a|b)' }, substitution: '/x\\1' } },
  { host_rewrite_literal: 'rewritten.test' },
);

const mirror: fc.Arbitrary<Json> = fc
  .tuple(fc.constantFrom(ALWAYS, NEVER), fc.boolean())
  .map(([default_value, disable_shadow_host_suffix_append]) => ({
    request_mirror_policies: [
      { cluster: 'shadow', runtime_fraction: { default_value }, disable_shadow_host_suffix_append },
    ],
  }));

const forward = fc
  .record({
    to: destination,
    rewrite: maybe(rewrite),
    timeout: fc.boolean(),
    grpc: maybe(fc.constantFrom('0s', '0.2s')),
    retry: maybe(retryPolicy, 3),
    mirror: maybe(mirror, 0.4),
    notFound: maybe(fc.constantFrom('NOT_FOUND', 'INTERNAL_SERVER_ERROR')),
  })
  .map((made) => ({
    route: {
      ...made.to,
      ...made.rewrite,
      timeout: made.timeout ? '0.3s' : '0s',
      ...(made.grpc === undefined ? {} : { max_grpc_timeout: made.grpc }),
      ...(made.retry === undefined ? {} : { retry_policy: made.retry }),
      ...made.mirror,
      ...(made.notFound === undefined ? {} : { cluster_not_found_response_code: made.notFound }),
    },
  }));

const redirect: fc.Arbitrary<Json> = fc
  .record(
    {
      host_redirect: fc.constant('other.test'),
      port_redirect: fc.constantFrom(80, 443, 8080),
      target: fc.constantFrom<Json>(
        { path_redirect: '/new' },
        { path_redirect: '/new?q=1' },
        { prefix_rewrite: '/new' },
        { scheme_redirect: 'https' },
      ),
      response_code: fc.constantFrom(
        'FOUND',
        'SEE_OTHER',
        'PERMANENT_REDIRECT',
        'TEMPORARY_REDIRECT',
      ),
    },
    { requiredKeys: ['target'] },
  )
  .map(({ target, ...others }) => ({ redirect: { ...others, ...target } }));

const direct: fc.Arbitrary<Json> = fc
  .tuple(
    fc.constantFrom(200, 204, 404, 418, 503),
    maybe(fc.constantFrom('', 'direct gr\u00fcn'), 3),
  )
  .map(([status, body]) => ({
    // Envoy gives even a 204 its body.
    direct_response: {
      status,
      ...(body === undefined || status === 204 ? {} : { body: { inline_string: body } }),
    },
  }));

const cors = fc
  .record({
    allow_credentials: fc.boolean(),
    forward_not_matching_preflights: fc.boolean(),
    allow_methods: fc.constantFrom('', '*', 'GET,PUT'),
    allow_headers: fc.constantFrom('', '*', 'x-a'),
    expose_headers: fc.constantFrom('', 'x-seen'),
    max_age: fc.constantFrom('', '600'),
  })
  .map((policy) => ({
    'envoy.filters.http.cors': {
      '@type': `${FILTERS}.cors.v3.CorsPolicy`,
      allow_origin_string_match: [{ exact: 'http://good' }],
      ...policy,
    },
  }));

const fault = fc
  .tuple(
    fc.constantFrom<Json>(
      { abort: { http_status: 503, percentage: ALWAYS } },
      { abort: { http_status: 418, percentage: NEVER } },
      { abort: { grpc_status: 8, percentage: ALWAYS } },
      { delay: { fixed_delay: '0.02s', percentage: ALWAYS } },
      {
        delay: { fixed_delay: '0.02s', percentage: ALWAYS },
        abort: { http_status: 555, percentage: ALWAYS },
      },
    ),
    fc.boolean(),
  )
  .map(([what, isForSome]) => ({
    'envoy.filters.http.fault': {
      '@type': `${FILTERS}.fault.v3.HTTPFault`,
      ...what,
      ...(isForSome ? { headers: [{ name: 'x-v', string_match: { exact: '1' } }] } : {}),
    },
  }));

const filters = fc.oneof(
  { weight: 6, arbitrary: fc.constant(undefined) },
  { weight: 1, arbitrary: cors },
  { weight: 1, arbitrary: fault },
);

const route: fc.Arbitrary<Json> = fc
  .tuple(
    matches,
    fc.oneof(
      { weight: 8, arbitrary: forward },
      { weight: 1, arbitrary: redirect },
      { weight: 1, arbitrary: direct },
    ),
    maybe(mutations, 2),
    filters,
  )
  .map(([match, action, changes, perFilter]) => ({
    match,
    ...(action as Json),
    ...changes,
    ...(perFilter === undefined ? {} : { typed_per_filter_config: perFilter }),
  }));

/** A route for what no other takes, more often than not. */
const last = maybe(
  forward.map((action) => ({ match: { prefix: '/' }, ...action })),
  9,
);

export const configurations: fc.Arbitrary<Configuration> = fc
  .tuple(fc.array(route, { minLength: 1, maxLength: 3 }), last, fc.boolean())
  .map(([first, end, hasTimeout]) => {
    const all: Json[] = [...first, ...(end === undefined ? [] : [end])].map((each, i) => ({
      name: `r${i}`,
      ...each,
    }));
    const routes = all.map((each) => (hasTimeout ? withTimeout(each) : each));
    return { routes, hasTimeout };
  });

function withTimeout(each: Json): Json {
  const action = each.route as Json | undefined;
  return action === undefined
    ? each
    : { ...each, route: { ...action, timeout: '0.3s', max_grpc_timeout: undefined } };
}

const permission: fc.Arbitrary<Json> = fc.constantFrom(
  { url_path: { path: { prefix: '/admin' } } },
  { url_path: { path: { exact: '/item/7' } } },
  { header: { name: ':method', string_match: { exact: 'DELETE' } } },
  { header: { name: 'x-deny', string_match: { exact: '1' } } },
  { header: { name: 'x-deny', present_match: true } },
  {
    and_rules: {
      rules: [
        { url_path: { path: { prefix: '/a' } } },
        { not_rule: { header: { name: ':method', string_match: { exact: 'GET' } } } },
      ],
    },
  },
  { header: { name: ':authority', string_match: { prefix: 'c1' } } },
  { url_path: { path: { safe_regex: { regex: '/b/.*' } } } },
);

export const managers: fc.Arbitrary<Manager> = fc
  .record({
    denied: fc.array(permission, { maxLength: 2 }),
    proxy_100_continue: fc.boolean(),
    merge_slashes: fc.boolean(),
    path_with_escaped_slashes_action: fc.constantFrom(
      'KEEP_UNCHANGED',
      'REJECT_REQUEST',
      'UNESCAPE_AND_FORWARD',
      'UNESCAPE_AND_REDIRECT',
    ),
  })
  .map(({ denied, ...fields }) => ({ denied, fields }));
