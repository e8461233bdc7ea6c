import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ENVOY } from '../../fixtures/static-proxy.ts';
import { startBatch } from './batch.ts';
import type { Answer, Case } from './cases.ts';
import type { Manager } from './configurations.ts';
import { BatchRun } from './differential.ts';

/** Differences that generation has found once: each by itself, so that its name says what has come back. */

const ANSWER: Answer = {
  isEarly: false,
  interim: [],
  status: 200,
  fields: [],
  framing: 'length',
  bytes: 5,
  cuts: [],
  trailers: [],
  end: { kind: 'whole' },
};

type Headers = readonly (readonly [name: string, value: string])[];

interface Row {
  /** Of the one route; where it has no action it leads to the cluster of HTTP/1.1. */
  readonly route: Readonly<Record<string, unknown>>;
  readonly version?: Case['version'];
  readonly method?: string;
  readonly path?: string;
  readonly fields?: Headers;
  readonly answer?: Partial<Answer>;
  readonly leaves?: Case['leaves'];
  /** By a policy, or the path by its rules. */
  readonly manager?: Manager;
}

const FILTERS = 'type.googleapis.com/envoy.extensions.filters.http';
const toHttp1 = { cluster: 'h1', timeout: '0.3s' };
const toHttp2 = { cluster: 'h2', timeout: '0.3s' };
const plain = { match: { prefix: '/' }, route: toHttp1 };
const added = (key: string, value: string) => ({ header: { key, value } });
const retrying = (retry_on: string, num_retries: number) => ({
  ...toHttp1,
  retry_policy: { retry_on, num_retries, retry_back_off: { base_interval: '0.001s' } },
});
const GRPC: Headers = [['content-type', 'application/grpc']];
const ASKS_FOR_100: Headers = [['expect', '100-continue']];
const cors = {
  'envoy.filters.http.cors': {
    '@type': `${FILTERS}.cors.v3.CorsPolicy`,
    allow_origin_string_match: [{ exact: 'http://good' }],
  },
};
const weighted = (of: object): Row['route'] => ({
  match: { prefix: '/' },
  route: {
    timeout: '0.3s',
    weighted_clusters: {
      clusters: [
        { name: 'h1', weight: 100, ...of },
        { name: 'h2', weight: 0 },
      ],
    },
  },
});
const denying = (permission: Manager['denied'][number]): Manager => ({
  denied: [permission],
  fields: {},
});
const NO_SLASHES: Manager = {
  denied: [],
  fields: { path_with_escaped_slashes_action: 'UNESCAPE_AND_REDIRECT' },
};
const HEADERS_OF_BACKEND = { response_headers_to_add: [added('x-backend', 'yes')] };

const ROWS: Readonly<Record<string, Row>> = {
  'a route cannot take away who serves': {
    route: { ...plain, response_headers_to_remove: ['server', 'date'] },
  },
  'what a weighted cluster adds to answers it adds to denials': {
    route: weighted(HEADERS_OF_BACKEND),
    path: '/admin',
    manager: denying({ url_path: { path: { prefix: '/admin' } } }),
  },
  'a denial names the weighted cluster it would have gone to': {
    route: weighted({}),
    path: '/admin',
    manager: denying({ url_path: { path: { prefix: '/admin' } } }),
  },
  'a host that a weighted cluster sets leaves no x-envoy-original-host': {
    route: weighted({ host_rewrite_literal: 'other.test' }),
  },
  'a redirect changes no answer but its own': {
    route: {
      match: { prefix: '/' },
      redirect: { path_redirect: '/new' },
      response_headers_to_add: [added('x-route', 'yes')],
    },
    path: '/admin',
    manager: denying({ url_path: { path: { prefix: '/admin' } } }),
  },
  'access lines have the headers that were sent': {
    route: { ...plain, request_headers_to_remove: ['user-agent'] },
    fields: [['user-agent', 'curl']],
  },
  'a client of HTTP/2 that resets before an answer': {
    route: plain,
    version: 'HTTP/2',
    answer: { end: { kind: 'silent', at: 'before-head' } },
    leaves: 'waiting',
  },
  'a client of HTTP/2 that resets within an answer': {
    route: plain,
    version: 'HTTP/2',
    answer: { end: { kind: 'silent', at: 'in-body' } },
    leaves: 'in-answer',
  },
  'an empty answer of this proxy has no length over HTTP/2': {
    route: { match: { path: '/nowhere' }, route: toHttp1 },
    version: 'HTTP/2',
  },
  'no grpc-timeout is made where the route does not ask for it': { route: plain, fields: GRPC },
  'trailer is passed on': { route: plain, fields: [['trailer', 'x-trailer']] },
  'a client of HTTP/2 that waits for 100 is told to go on': {
    route: plain,
    version: 'HTTP/2',
    method: 'POST',
    fields: ASKS_FOR_100,
  },
  ':scheme is matched': {
    route: {
      ...plain,
      match: { prefix: '/', headers: [{ name: ':scheme', string_match: { exact: 'http' } }] },
    },
  },
  ':path is matched with its query': {
    route: {
      ...plain,
      match: { prefix: '/', headers: [{ name: ':path', string_match: { exact: '/a' } }] },
    },
    path: '/a?b',
  },
  'of a header that is not there an inverted match is false': {
    route: {
      ...plain,
      match: {
        prefix: '/',
        headers: [{ name: 'x-v', string_match: { exact: '1' }, invert_match: true }],
      },
    },
  },
  'the scheme of a client reaches an upstream of HTTP/2': {
    route: { ...plain, route: toHttp2 },
    fields: [['x-forwarded-proto', 'https']],
  },
  'a redirect has the scheme of an HTTP/2 client': {
    route: { match: { prefix: '/' }, redirect: { path_redirect: '/new' } },
    version: 'HTTP/2',
    fields: [['x-forwarded-proto', 'https']],
  },
  'what limits rates is not asked again': {
    route: { ...plain, route: retrying('5xx', 1) },
    answer: { status: 503, fields: [['x-envoy-ratelimited', 'true']] },
  },
  'a gRPC status is retried whoever asks': {
    route: { ...plain, route: retrying('unavailable', 1) },
    answer: { fields: [['grpc-status', '14']] },
  },
  'no retry that was allowed is a limit that was reached': {
    route: { ...plain, route: retrying('5xx', 0) },
    answer: { status: 503 },
  },
  'reset retries what cannot be connected to': {
    route: { ...plain, route: { ...retrying('reset', 1), cluster: 'closed' } },
  },
  'after an interim answer nothing is retried': {
    route: { ...plain, route: retrying('reset', 1) },
    answer: { interim: [103], end: { kind: 'cut', at: 'before-head', by: 'reset' } },
  },
  'after an interim answer an attempt may take its time': {
    route: {
      ...plain,
      route: { ...toHttp1, retry_policy: { retry_on: 'reset', per_try_timeout: '0.1s' } },
    },
    answer: { interim: [103], end: { kind: 'silent', at: 'before-head' } },
  },
  'PROTOCOL_ERROR of an upstream is a protocol error': {
    route: { ...plain, route: toHttp2 },
    answer: { end: { kind: 'cut', at: 'before-head', by: 1 } },
  },
  'REFUSED_STREAM within an answer is named': {
    route: { ...plain, route: toHttp2 },
    version: 'HTTP/2',
    answer: { end: { kind: 'cut', at: 'in-body', by: 7 } },
  },
  'the limit of retries is told of an answer that is cut, too': {
    route: { ...plain, route: retrying('5xx', 0) },
    answer: { status: 503, end: { kind: 'cut', at: 'in-body', by: 'end' } },
  },
  'trailers follow an answer without a body': {
    route: { ...plain, route: toHttp2 },
    version: 'HTTP/2',
    answer: { bytes: 0, trailers: [['grpc-status', '14']] },
  },
  'the head of an answer that is to be cut reaches an HTTP/1.1 client': {
    route: { ...plain, route: toHttp2 },
    answer: { framing: 'chunks', bytes: 0, end: { kind: 'cut', at: 'after-head', by: 2 } },
  },
  'CORS concerns what is forwarded alone': {
    route: {
      match: { prefix: '/' },
      redirect: { path_redirect: '/new' },
      typed_per_filter_config: cors,
    },
    fields: [['origin', 'http://good']],
  },
  'gRPC is redirected to no other path': {
    route: plain,
    path: '/a%2fb',
    fields: GRPC,
    manager: NO_SLASHES,
  },
  'HEAD of gRPC is answered without a message': {
    route: plain,
    version: 'HTTP/2',
    method: 'HEAD',
    path: '/admin',
    fields: GRPC,
    manager: denying({ url_path: { path: { prefix: '/admin' } } }),
  },
  'a mirror is told the time of an attempt where the route has none': {
    route: {
      ...plain,
      route: {
        cluster: 'h1',
        timeout: '0s',
        retry_policy: { retry_on: '5xx', num_retries: 1, per_try_timeout: '0.2s' },
        request_mirror_policies: [{ cluster: 'shadow' }],
      },
    },
  },
  'a mirror is told the time of the route, not of an attempt': {
    route: {
      ...plain,
      route: {
        ...retrying('5xx', 1),
        retry_policy: { retry_on: '5xx', num_retries: 1, per_try_timeout: '0.2s' },
        request_mirror_policies: [{ cluster: 'shadow' }],
      },
    },
  },
};

const NO_POLICY: Manager = { denied: [], fields: {} };
const rows = Object.entries(ROWS);
let run: BatchRun;

describe.skipIf(ENVOY === undefined)('as to Envoy', () => {
  beforeAll(async () => {
    // A listener for each.
    const served = {
      managers: rows.map(([, { manager = NO_POLICY }]) => manager),
      configurations: rows.map(([, { route }]) => ({
        routes: [{ name: 'r0', ...route }],
        hasTimeout: true,
      })),
      perManager: 1,
    };
    run = new BatchRun(await startBatch(served, 1), 0);
  }, 60_000);

  afterAll(() => run?.stop());

  test.for(rows.map(([name, row], i) => [name, row, i] as const))(
    '%s',
    async ([, { version = 'HTTP/1.1', method = 'GET', path = '/', fields = [], ...row }, i]) => {
      const differing = await run.confirm({
        configuration: i,
        version,
        request: { method, path, authority: 'plain', fields, body: null },
        answers: [{ ...ANSWER, ...row.answer }],
        leaves: row.leaves ?? 'never',
      });
      expect(differing).toEqual([]);
    },
  );
});
