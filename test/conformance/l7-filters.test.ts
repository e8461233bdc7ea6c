import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../fixtures/eventually.ts';
import { type GrpcServer, startGrpcServer } from '../fixtures/grpc-echo.ts';
import {
  accessLog,
  denying,
  ENVOY,
  httpBootstrap,
  SPEAKS_HTTP2,
  type StaticProxy,
  startStaticProxy,
} from '../fixtures/static-proxy.ts';

/** CORS, faults, rate limits and mirrors: the same configuration and requests to a real Envoy and to our engine. */

const FILTERS = 'type.googleapis.com/envoy.extensions.filters.http';
const always = { default_value: { numerator: 100 } };

const ACCESS_LOG = accessLog(
  '%REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%\n',
);

const toOrigin = { cluster: 'origin', timeout: '0s' };

function withFilter(path: string, name: string, config: object, more: object = {}): object {
  return {
    match: { prefix: path },
    route: { ...toOrigin, ...more },
    typed_per_filter_config: { [`envoy.filters.http.${name}`]: config },
  };
}

function cors(config: object): object {
  const allow_origin_string_match = [{ exact: 'http://good' }, { prefix: 'https://also.' }];
  return { '@type': `${FILTERS}.cors.v3.CorsPolicy`, allow_origin_string_match, ...config };
}

function fault(config: object): object {
  return { '@type': `${FILTERS}.fault.v3.HTTPFault`, ...config };
}

function bucket(config: object): object {
  return {
    '@type': `${FILTERS}.local_ratelimit.v3.LocalRateLimit`,
    stat_prefix: 'limit',
    filter_enabled: always,
    filter_enforced: always,
    token_bucket: { max_tokens: 2, tokens_per_fill: 2, fill_interval: '600s' },
    ...config,
  };
}

const all = { numerator: 100, denominator: 'HUNDRED' };
const full = {
  allow_methods: 'GET,PUT',
  allow_headers: 'x-a,x-b',
  expose_headers: 'x-seen',
  max_age: '600',
  allow_credentials: true,
};

const ROUTES: readonly object[] = [
  withFilter('/cors', 'cors', cors(full)),
  withFilter('/any-method', 'cors', cors({ allow_methods: '*', allow_headers: '*' })),
  withFilter('/ignore', 'cors', cors({ ...full, forward_not_matching_preflights: false })),
  withFilter('/abort', 'fault', fault({ abort: { http_status: 555, percentage: all } })),
  withFilter('/grpc-abort', 'fault', fault({ abort: { grpc_status: 8, percentage: all } })),
  withFilter('/slow', 'fault', fault({ delay: { fixed_delay: '0.1s', percentage: all } })),
  withFilter(
    '/slow-abort',
    'fault',
    fault({
      delay: { fixed_delay: '0.1s', percentage: all },
      abort: { http_status: 503, percentage: all },
    }),
  ),
  withFilter('/never', 'fault', fault({ abort: { http_status: 503 } })),
  withFilter(
    '/some',
    'fault',
    fault({
      abort: { http_status: 503, percentage: all },
      headers: [{ name: 'x-fail', string_match: { exact: 'yes' } }],
    }),
  ),
  withFilter(
    '/other-cluster',
    'fault',
    fault({ abort: { http_status: 503, percentage: all }, upstream_cluster: 'else' }),
  ),
  withFilter(
    '/limited',
    'local_ratelimit',
    bucket({
      response_headers_to_add: [
        { header: { key: 'x-limited', value: 'yes' }, append_action: 'OVERWRITE_IF_EXISTS_OR_ADD' },
      ],
    }),
  ),
  withFilter('/unenforced', 'local_ratelimit', bucket({ filter_enforced: undefined })),
  withFilter('/own-status', 'local_ratelimit', bucket({ status: { code: 503 } })),
  {
    match: { prefix: '/mirrored' },
    route: {
      ...toOrigin,
      request_mirror_policies: [
        { cluster: 'shadow', runtime_fraction: always },
        { cluster: 'shadow', disable_shadow_host_suffix_append: true },
        { cluster: 'shadow', runtime_fraction: { default_value: { numerator: 0 } } },
        { cluster: 'missing' },
      ],
    },
    request_headers_to_add: [{ header: { key: 'x-added', value: 'yes' } }],
  },
  { match: { prefix: '/' }, route: toOrigin },
];

const [rbac, router] = denying({ header: { name: 'x-denied', present_match: true } });
const HTTP_FILTERS = [
  rbac,
  { name: 'envoy.filters.http.fault', typed_config: { '@type': `${FILTERS}.fault.v3.HTTPFault` } },
  { name: 'envoy.filters.http.cors', typed_config: { '@type': `${FILTERS}.cors.v3.Cors` } },
  {
    name: 'envoy.filters.http.local_ratelimit',
    typed_config: {
      '@type': `${FILTERS}.local_ratelimit.v3.LocalRateLimit`,
      stat_prefix: 'limit',
    },
  },
  router,
];

let origin: Server;
let shadow: Server;
let grpc: GrpcServer;
const mirrored: string[] = [];
let proxies: Readonly<Record<'envoy' | 'ours', StaticProxy>>;

interface Answer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
}

async function ask(
  port: number,
  path: string,
  { method = 'GET', headers = {}, body = '' }: Ask,
): Promise<Answer> {
  const sent = request({
    port,
    host: '127.0.0.1',
    path,
    method,
    headers: { host: 'shop:80', ...headers },
  });
  sent.end(body);
  const [answer] = (await once(sent, 'response')) as [IncomingMessage];
  const shown = Object.entries(answer.headers)
    .filter(([name]) => !/^(date|connection|keep-alive|x-envoy-upstream-service-time)$/.test(name))
    .map(([name, value]) => `${name}: ${String(value)}`);
  return { status: answer.statusCode ?? 0, headers: shown.toSorted(), body: await text(answer) };
}

interface Ask {
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

function lines({ logFile }: StaticProxy): readonly string[] {
  return readFileSync(logFile, 'latin1').match(/.+/g) ?? [];
}

async function lastLine(proxy: StaticProxy, before: number): Promise<string | undefined> {
  await eventually(() => lines(proxy).length > before, { what: 'a line' });
  return lines(proxy).at(-1);
}

const preflight = (origin_: string, more: Readonly<Record<string, string>> = {}): Ask => ({
  method: 'OPTIONS',
  headers: { origin: origin_, 'access-control-request-method': 'DELETE', ...more },
});

describe.skipIf(ENVOY === undefined)('filters of Envoy and of the waypoint', () => {
  beforeAll(async () => {
    origin = createServer((incoming, response) => {
      void text(incoming).then((body) =>
        response.writeHead(200, { 'x-seen': 'yes' }).end(`${incoming.method} ${body.length}`),
      );
    }).listen(0, '127.0.0.1');
    shadow = createServer((incoming, response) => {
      const { host, 'x-added': added } = incoming.headers;
      void text(incoming).then((body) => {
        mirrored.push(`${incoming.method} ${incoming.url} ${host} ${added} ${body.length}`);
        response.writeHead(500).end('nobody hears this');
      });
    }).listen(0, '127.0.0.1');
    await Promise.all([once(origin, 'listening'), once(shadow, 'listening')]);
    grpc = await startGrpcServer();
    const portOf = (server: Server): number => (server.address() as AddressInfo).port;
    const start = (name: 'envoy' | 'waypoint') =>
      startStaticProxy(name, (port) =>
        httpBootstrap(
          {
            origin: portOf(origin),
            shadow: portOf(shadow),
            grpc: { port: grpc.port, options: SPEAKS_HTTP2 },
          },
          [
            {
              port,
              routes: ROUTES,
              manager: { http_filters: HTTP_FILTERS, access_log: [ACCESS_LOG] },
            },
          ],
        ),
      );
    const [envoy, ours] = await Promise.all([start('envoy'), start('waypoint')]);
    proxies = { envoy, ours };
  }, 40_000);

  afterAll(async () => {
    await Promise.all(Object.values(proxies ?? {}).map((proxy) => proxy.stop()));
    grpc.stop();
    for (const server of [origin, shadow]) {
      server.close();
      server.closeAllConnections();
    }
  });

  beforeEach(() => {
    mirrored.length = 0;
  });

  test.for<readonly [path: string, asked: Ask]>([
    ['/cors', { headers: { origin: 'http://good' } }],
    ['/cors', { headers: { origin: 'https://also.here' } }],
    ['/cors', { headers: { origin: 'http://bad' } }],
    ['/cors', { headers: { origin: '' } }],
    ['/cors', {}],
    ['/cors', preflight('http://good')],
    ['/cors', preflight('http://good', { 'x-denied': 'yes' })],
    ['/cors', preflight('http://bad')],
    ['/cors', { method: 'OPTIONS', headers: { origin: 'http://good' } }],
    ['/cors', { headers: { origin: 'http://good', 'x-denied': 'yes' } }],
    ['/any-method', preflight('http://good', { 'access-control-request-headers': 'x-mine' })],
    ['/any-method', preflight('http://good')],
    ['/ignore', preflight('http://bad')],
    ['/ignore', preflight('http://good')],
    ['/ignore', { headers: { origin: 'http://bad' } }],
    ['/no-policy', preflight('http://good')],
    ['/abort', {}],
    ['/abort', { headers: { 'content-type': 'application/grpc' }, method: 'POST' }],
    ['/grpc-abort', {}],
    ['/grpc-abort', { headers: { 'content-type': 'application/grpc' }, method: 'POST' }],
    ['/slow', { method: 'POST', body: 'x'.repeat(100_000) }],
    ['/slow-abort', { method: 'POST', body: 'body' }],
    ['/never', {}],
    ['/some', {}],
    ['/some', { headers: { 'x-fail': 'yes' } }],
    ['/other-cluster', {}],
    ['/limited', {}],
    ['/limited', {}],
    ['/limited', {}],
    ['/limited', { headers: { 'content-type': 'application/grpc' }, method: 'POST' }],
    ['/unenforced', {}],
    ['/unenforced', {}],
    ['/unenforced', {}],
    ['/own-status', {}],
    ['/own-status', {}],
    ['/own-status', {}],
  ])('answer the same: %s %o', async ([path, asked]) => {
    const answers = await Promise.all(
      (['envoy', 'ours'] as const).map(async (name) => {
        const before = lines(proxies[name]).length;
        const answer = await ask(proxies[name].port, path, asked);
        return { ...answer, line: await lastLine(proxies[name], before) };
      }),
    );
    expect(answers[1]).toEqual(answers[0]);
  });

  test.for(['', 'short', 'x'.repeat(300_000)])(
    'copies of a request arrive whole, and their answers nowhere (body %#)',
    async (body) => {
      const seen = [];
      for (const { port } of [proxies.envoy, proxies.ours]) {
        mirrored.length = 0;
        const answer = await ask(port, '/mirrored', { method: 'POST', body });
        await eventually(() => mirrored.length === 2, { what: 'two copies' });
        seen.push({ answer, mirrored: mirrored.toSorted() });
      }
      expect(seen[1]).toEqual(seen[0]);
      expect(seen[1]!.answer.status).toBe(200);
    },
  );

  test('a client that leaves while it is delayed reaches nobody', async () => {
    const sent = request({ port: proxies.ours.port, host: '127.0.0.1', path: '/slow' });
    sent.on('error', () => undefined);
    sent.end();
    await once(sent, 'socket');
    setTimeout(() => sent.socket?.resetAndDestroy(), 50);
    const line = '/slow 0 DI,DC downstream_remote_disconnect';
    const seen = () => lines(proxies.ours).find((each) => each === line);
    expect(await eventually(seen, { what: line })).toBe(line);
  });
});
